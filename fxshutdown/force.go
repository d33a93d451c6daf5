package fxshutdown

import "time"

// cutAll is the force phase: what did not end on its own is cancelled, then cut.
func (st *stop) cutAll() bool {
	s := st.s
	st.spread.finish()
	st.mu.Lock()
	reason := st.reason
	st.report.Forced = reason
	st.mu.Unlock()
	s.conns.holding(func(r Request, _ holdKind) { st.noteWaitedFor(r) })
	st.cancelRequests(reason)
	s.conns.releaseAll()

	// A moment for handlers to answer, unless all is to be cut at once.
	st.awaitEmpty(st.cutNow, func() moment {
		_, cutAt, _ := st.budget.moments()
		return cutAt
	})
	for _, c := range s.conns.snapshot(nil) {
		if c.hasEndedUnseen() {
			c.takeoverOver()
			continue
		}
		c.mu.Lock()
		res := c.cutLocked()
		c.mu.Unlock()
		st.recordEnd(res, reason)
		c.closeCut(res.raw)
	}
	now := s.now()
	st.awaitEmpty(nil, func() moment {
		_, _, end := st.budget.moments()
		switch {
		case end == 0:
			return now + schedulingSlack
		case isClosed(st.cutNow):
			end = min(end, now+schedulingSlack)
		}
		return max(end, now+lateSlack)
	})
	return true
}

// cancelRequests cancels the contexts of all requests.
func (st *stop) cancelRequests(reason error) {
	s := st.s
	s.conns.cancelled.Store(true)
	e := &RequestsCancelled{Reason: reason}
	for _, c := range s.conns.snapshot(nil) {
		c.mu.Lock()
		c.cancelRunningLocked(func(r Request) {
			e.Count++
			e.Requests = keepOldest(e.Requests, r)
		})
		c.mu.Unlock()
	}
	s.cancel(reason)
	if e.Count > 0 {
		s.events.emit(e)
	}
}

// awaitEmpty waits until all connections and handlers are gone, giveUp is closed, or the
// moment has come that until returns. That moment may change whenever another caller
// joins the stop.
func (st *stop) awaitEmpty(giveUp <-chan struct{}, until func() moment) {
	for !st.s.conns.isEmpty() {
		t := time.NewTimer(until() - st.s.now())
		select {
		case <-st.wake:
			t.Stop()
		case <-giveUp:
			t.Stop()
			return
		case <-t.C:
			return
		}
	}
}
