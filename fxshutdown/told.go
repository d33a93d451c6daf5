package fxshutdown

import "cmp"

// noteAborted puts on the report, and tells the Logger, that a request was cut off.
func (st *stop) noteAborted(r Request, reason error) {
	st.mu.Lock()
	st.aborted++
	tell := st.aborted <= maxListed
	st.report.Aborted = keepOldest(st.report.Aborted, r)
	if !r.Stream {
		st.lost.Count++
		st.lost.Requests = keepOldest(st.lost.Requests, r)
	}
	st.mu.Unlock()
	if tell {
		st.s.events.emit(&RequestAborted{Request: r, Reason: reason})
	}
}

// noteCut does it for a hijacked connection that the stop closed.
func (st *stop) noteCut(r Request, reason error) {
	st.mu.Lock()
	st.report.CutCount++
	tell := st.report.CutCount <= maxListed
	st.report.Cut = keepOldest(st.report.Cut, r)
	st.mu.Unlock()
	if tell {
		st.s.events.emit(&HijackedClosed{Request: r, Reason: reason})
	}
}

// noteCancelled does it for a request that has ended after the stop, or before it the
// keeper, had cancelled its context: by itself, or so that its client lost the response.
func (st *stop) noteCancelled(r Request, lost bool) {
	st.mu.Lock()
	reason := cmp.Or(st.reason, st.grace, ErrConnectionAge)
	if !lost && reason != ErrConnectionAge {
		st.report.CancelledCount++
		st.report.Cancelled = keepOldest(st.report.Cancelled, r)
	}
	st.mu.Unlock()
	if lost {
		st.noteAborted(r, reason)
	}
}

// noteWaitedFor puts on the report what the stop waited for until its force.
func (st *stop) noteWaitedFor(r Request) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.report.WaitedForCount++
	st.report.WaitedFor = keepOldest(st.report.WaitedFor, r)
}

// recordEnd puts on the report what it cost to end a connection.
func (st *stop) recordEnd(res cutResult, reason error) {
	for _, r := range res.aborted {
		st.noteAborted(r, reason)
	}
	if res.takeover != nil {
		st.noteCut(*res.takeover, reason)
	}
	if res.unbegun {
		st.mu.Lock()
		st.report.Unbegun++
		st.mu.Unlock()
	}
}
