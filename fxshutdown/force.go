package fxshutdown

import (
	"cmp"
	"slices"
	"time"
)

// cutAll is phase 5: what did not end by itself is cancelled, then cut.
func (d *drain) cutAll() bool {
	s := d.s
	d.mu.Lock()
	reason := d.reason
	d.report.Forced = reason
	d.mu.Unlock()
	d.cancelRequests(reason)

	// A moment for handlers to answer, unless all is to be cut at once.
	d.awaitEmpty(d.cutNow, func() moment {
		_, cutAt, _ := d.budget.moments()
		return cutAt
	})
	for _, c := range s.snapshot() {
		c.mu.Lock()
		res := c.cutLocked()
		c.mu.Unlock()
		d.settleCut(c, res, reason)
	}
	now := s.now()
	d.awaitEmpty(nil, func() moment {
		_, _, end := d.budget.moments()
		switch {
		case end == 0:
			return now + settle
		case isClosed(d.cutNow):
			end = min(end, now+settle)
		}
		return max(end, now+lateSettle)
	})
	return true
}

// cancelRequests cancels the contexts of all requests.
func (d *drain) cancelRequests(reason error) {
	d.s.cancelled.Store(true)
	var rs []Request
	for _, c := range d.s.snapshot() {
		c.mu.Lock()
		for x := c.reqs; x != nil; x = x.next {
			if x != c.hijacker && !x.cancelled {
				x.cancelled = true
				rs = append(rs, c.describeLocked(x))
			}
		}
		c.mu.Unlock()
	}
	d.s.cancel(reason)
	oldestFirst(rs)
	if len(rs) > 0 {
		d.s.events.emit(&RequestsCancelled{Reason: reason, Requests: rs})
	}
}

func oldestFirst(rs []Request) {
	slices.SortStableFunc(rs, func(a, b Request) int { return cmp.Compare(b.Age, a.Age) })
}

// noteCancelled is called when a request has ended that was cancelled.
func (s *Server) noteCancelled(r Request) {
	d := s.drainNow()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Cancelled = append(d.report.Cancelled, r)
}

// settleCut puts on the account what a cut cost, and closes the connection.
func (d *drain) settleCut(c *conn, res cutResult, reason error) {
	for _, r := range res.aborted {
		d.s.events.emit(&RequestAborted{Request: r, Reason: reason})
	}
	d.mu.Lock()
	d.report.Aborted = append(d.report.Aborted, res.aborted...)
	if res.hijack != nil {
		d.report.Cut = append(d.report.Cut, *res.hijack)
	}
	if res.unbegun {
		d.report.Unbegun++
	}
	d.mu.Unlock()
	if res.hijack != nil {
		d.s.events.emit(&HijackedClosed{Request: *res.hijack, Reason: reason})
	}
	if res.raw == nil {
		return
	}
	go func() { // Close of a connection that is not a socket may block
		res.raw.Close()
		c.mu.Lock()
		gone := c.goneLocked()
		c.mu.Unlock()
		if gone {
			d.s.remove(c)
		}
	}()
}

// awaitEmpty waits until all connections and handlers are gone, or the moment
// comes, which may change whenever somebody joins, or enough is closed.
func (d *drain) awaitEmpty(enough <-chan struct{}, until func() moment) {
	for !d.s.isEmpty() {
		t := time.NewTimer(until() - d.s.now())
		select {
		case <-d.wake:
			t.Stop()
		case <-enough:
			t.Stop()
			return
		case <-t.C:
			return
		}
	}
}
