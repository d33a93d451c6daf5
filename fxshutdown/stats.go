package fxshutdown

import "net/http"

// totals is the account of connections and requests. A request that has begun
// is in exactly one of the last four fields, or undecided.
type totals struct {
	Accepted uint64
	Closed   uint64

	Answered uint64
	Failed   uint64
	Hijacked uint64
	Aborted  uint64
}

// ended is the number of requests that have begun and are decided.
func (t *totals) ended() uint64 { return t.Answered + t.Failed + t.Hijacked + t.Aborted }

// add adds the requests of c, whose lock the caller holds.
func (t *totals) add(c *conn) {
	t.Answered += c.answered
	t.Failed += uint64(c.failed)
	t.Aborted += uint64(c.aborted)
	if c.hijacker != nil {
		t.Hijacked++
	}
}

// undecidedLocked counts the requests that run and are neither aborted nor
// hijacked, and the one whose response is not known to be written.
func (c *conn) undecidedLocked() (n uint64) {
	for x := c.reqs; x != nil; x = x.next {
		if !x.aborted && x != c.hijacker {
			n++
		}
	}
	if c.flushing != nil {
		n++
	}
	return n
}

// Stats returns a snapshot of the account. It looks at every connection: it is
// for metrics and tests, not for every request.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, _, _ := s.countLocked()
	return st
}

// InFlight lists the requests whose handlers run now, the oldest first, those of
// hijacked connections and of reset HTTP/2 streams included. Like Stats it looks at
// every connection.
func (s *Server) InFlight() []Request {
	var rs []Request
	for _, c := range s.snapshot() {
		c.mu.Lock()
		for x := c.reqs; x != nil; x = x.next {
			r := c.describeLocked(x)
			r.Running = true
			rs = append(rs, r)
		}
		c.mu.Unlock()
	}
	oldestFirst(rs)
	return rs
}

// countLocked returns the public account, the totals of all connections open or
// closed, and the number of requests that are not decided yet.
func (s *Server) countLocked() (Stats, totals, uint64) {
	t := s.totals
	var st Stats
	var running uint64
	for c := s.conns.head; c != nil; c = c.next {
		c.mu.Lock()
		c.settleOldLocked()
		t.add(c)
		st.InFlight += int(c.nreqs)
		running += c.undecidedLocked()
		switch {
		case c.closed || c.cut: // only its handlers are left
		case c.state == http.StateNew:
			st.New++
		case c.state == http.StateActive:
			st.Active++
		case c.state == http.StateIdle:
			st.Idle++
		case c.state == http.StateHijacked:
			st.Hijacked++
		}
		c.mu.Unlock()
	}
	st.Accepted = t.Accepted
	st.Closed = t.Accepted - uint64(st.Open())
	st.Requests = t.ended() + running
	st.Failed, st.Aborted = t.Failed, t.Aborted
	return st, t, running
}
