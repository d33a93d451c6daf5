package fxshutdown

import "time"

// cutAll is phase 5: what did not end by itself is cancelled, then cut.
func (d *drain) cutAll() bool {
	s := d.s
	d.mu.Lock()
	reason := d.reason
	d.report.Forced = reason
	d.mu.Unlock()
	d.cancelRequests(reason)

	_, cutAt, _ := d.budget.moments()
	d.awaitEmpty(cutAt) // a moment for handlers to answer
	for _, c := range s.snapshot() {
		c.mu.Lock()
		res := c.cutLocked()
		c.mu.Unlock()
		d.settleCut(c, res, reason)
	}
	now := s.now()
	until := now + settle
	if _, _, end := d.budget.moments(); end != 0 {
		until = max(end, now+lateSettle)
		if isClosed(d.cutNow) {
			until = min(until, now+settle)
		}
	}
	d.awaitGone(until)
	return true
}

// cancelRequests cancels the contexts of all requests.
func (d *drain) cancelRequests(reason error) {
	d.s.cancelled.Store(true)
	var rs []Request
	for _, c := range d.s.snapshot() {
		c.mu.Lock()
		for x := c.reqs; x != nil; x = x.next {
			if x != c.hijacker {
				x.cancelled = true
				rs = append(rs, c.describeLocked(x))
			}
		}
		c.mu.Unlock()
	}
	d.s.cancel(reason)
	if len(rs) > 0 {
		d.s.events.emit(&RequestsCancelled{Reason: reason, Requests: rs})
	}
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
// comes, or all is to be cut at once.
func (d *drain) awaitEmpty(until moment) {
	t := time.NewTimer(until - d.s.now())
	defer t.Stop()
	for !d.s.isEmpty() {
		select {
		case <-d.wake:
		case <-d.cutNow:
			return
		case <-t.C:
			return
		}
	}
}

// awaitGone waits for what was cut.
func (d *drain) awaitGone(until moment) {
	t := time.NewTimer(until - d.s.now())
	defer t.Stop()
	for !d.s.isEmpty() {
		select {
		case <-d.wake:
		case <-t.C:
			return
		}
	}
}
