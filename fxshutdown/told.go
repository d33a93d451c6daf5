package fxshutdown

import (
	"cmp"
	"math"
)

// noteAborted notes in the report, and tells the Logger, that a request was cut off.
func (st *stop) noteAborted(r Request, reason error) {
	st.mu.Lock()
	st.aborted++
	tell := st.aborted <= maxListed
	st.report.AbortedRequests = keepOldest(st.report.AbortedRequests, r)
	if !r.Stream {
		st.lost.Count++
		st.lost.Requests = keepOldest(st.lost.Requests, r)
	}
	st.mu.Unlock()
	if tell {
		st.s.events.emit(&RequestAborted{Request: r, Reason: reason})
	}
}

// noteCut does the same for a hijacked connection that the stop closed.
func (st *stop) noteCut(r Request, reason error) {
	st.mu.Lock()
	st.report.HijackedClosed++
	tell := st.report.HijackedClosed <= maxListed
	st.report.HijackedClosedRequests = keepOldest(st.report.HijackedClosedRequests, r)
	st.mu.Unlock()
	if tell {
		st.s.events.emit(&HijackedClosed{Request: r, Reason: reason})
	}
}

// noteCancelled notes in the report a request that has ended after the stop, or the
// keeper before it, had cancelled its context. lost says whether its client lost the
// response.
func (st *stop) noteCancelled(r Request, lost bool) {
	st.mu.Lock()
	reason := cmp.Or(st.reason, st.grace, ErrConnectionAgeGrace)
	if !lost && reason != ErrConnectionAgeGrace {
		st.report.Cancelled++
		st.report.CancelledRequests = keepOldest(st.report.CancelledRequests, r)
	}
	st.mu.Unlock()
	if lost {
		st.noteAborted(r, reason)
	}
}

// noteWaitedFor notes in the report what the stop was waiting for when it was forced.
func (st *stop) noteWaitedFor(r Request) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.report.WaitedFor++
	st.report.WaitedForRequests = keepOldest(st.report.WaitedForRequests, r)
}

// recordEnd notes in the report what it cost to end a connection.
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

// sum fills in the figures from the account: those of the stop are what was added since
// before. The account counts a request that was cut off a moment before the list has it.
func (r *Report) sum(stats Stats, before, now totals) {
	r.IdleClosed = int(stats.IdleClosed)
	r.Served = int(min(now.Answered, math.MaxInt))
	r.Answered = int(now.Answered - before.Answered)
	r.Failed = int(now.Failed - before.Failed)
	r.Ended = int(now.Ended - before.Ended)
	r.Hijacks = int(now.Hijacked - before.Hijacked)
	r.Aborted = int(now.Aborted - before.Aborted)
	r.Undecided = int(now.Undecided)
	r.Requests = r.Answered + r.Failed + r.Ended + r.Hijacks + r.Aborted + r.Undecided
}
