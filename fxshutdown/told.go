package fxshutdown

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
