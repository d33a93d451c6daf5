package fxshutdown

import "net"

// Addr returns the address that the server listens on, or nil before Start has
// bound it.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Draining returns a channel that is closed when the drain begins: after
// ShutdownDelay, when the server begins to tell its clients to go. A server
// that is stopped before it served closes it too.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Done returns a channel that is closed when serving is over: when a stop has
// ended, or when the listener failed under the running server.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns why serving ended, once Done is closed: the failure of the listener, even
// if Stop then returned nil, or the error of Stop. It is nil while the server serves and
// after a clean stop.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Stats returns a snapshot of the account. It looks at every connection: it is
// for metrics and tests, not for every request.
func (s *Server) Stats() Stats {
	stats, _ := s.conns.count()
	s.mu.Lock()
	listens := s.addr != nil // and s.ln is no longer written
	s.mu.Unlock()
	if listens {
		stats.InQueue, _ = s.ln.waiting()
	}
	return stats
}

// InFlight lists the requests whose handlers are running, oldest first, including those
// of hijacked connections and of reset HTTP/2 streams. Like Stats, it looks at every
// connection.
func (s *Server) InFlight() (rs []Request) {
	s.conns.running(func(r Request) { rs = append(rs, r) })
	oldestFirst(rs)
	return rs
}
