package fxshutdown

import (
	"cmp"
	"net"
	"slices"
	"time"
)

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

// cancelRunningLocked notes that the contexts of the running requests are about to be
// cancelled, and calls add with those for which that is new.
func (c *conn) cancelRunningLocked(add func(Request)) {
	for x := c.running; x != nil; x = x.next {
		if !x.hijacked && !x.cancelled {
			x.cancelled = true
			add(c.describeLocked(x))
		}
	}
}

func oldestFirst(rs []Request) {
	slices.SortStableFunc(rs, func(a, b Request) int { return cmp.Compare(b.Age, a.Age) })
}

// cutResult is what a cut found.
type cutResult struct {
	raw      net.Conn // to be closed by the caller, since that may block; nil: nothing
	aborted  []Request
	takeover *Request
	unbegun  bool // a request was read, and had not reached its handler
}

// cutLocked cuts the connection, whatever it is doing. It bypasses crypto/tls, whose
// close_notify may take 5 s per connection. It returns what the cut cost.
func (c *conn) cutLocked() (res cutResult) {
	stage := c.stage.Load()
	if c.cut || stage == stageGone {
		return res
	}
	c.cut = true
	if c.exit != nil {
		c.exit.cut = c.exit.cut || stage < stageClosed
	}
	if c.h2 != nil {
		c.h2.releaseLocked()
	}
	if stage != stageClosed || c.takeover != nil { // otherwise only handlers are left
		res.raw = c.underTLS()
	}
	if c.takeover != nil {
		res.takeover = c.takeoverEndLocked()
		if !c.takeover.foreign {
			return res
		}
	}
	res.aborted = c.abortLocked()
	if stage >= stageHijacked || len(res.aborted) > 0 || c.closing == closingHTTP {
		return res
	}
	res.unbegun = stage == stageRead && !c.dropped
	c.dropped = c.dropped || stage.waits()
	return res
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
