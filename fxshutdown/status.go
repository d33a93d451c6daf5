package fxshutdown

import (
	"fmt"
	"net"
	"net/http"
)

// Addr returns the address that the server listens on, nil before Start has
// bound it.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Stopping returns a channel that is closed when a stop begins, as soon as Ready
// fails and before ShutdownDelay: the time to leave a service registry.
func (s *Server) Stopping() <-chan struct{} { return s.stopping }

// Draining returns a channel that is closed when the drain begins: after
// ShutdownDelay, when the server starts to tell its clients to go. A server
// that is stopped before it served closes it too.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Done returns a channel that is closed when serving is over: when a stop has
// ended, or when the listener failed under the running server.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns why serving ended, once Done is closed: the failure of the
// listener, also after a Stop that returned nil, or the error of Stop. It is nil while
// the server serves and after a clean stop.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Ready returns a handler for readiness probes: 200 while the server serves,
// 503 before Start and as soon as Stop is called. It belongs on a server that
// outlives this one, such as an admin server, but works on this one too. A handler
// that has conditions of its own can check them first and then call this one.
func (s *Server) Ready() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		ready := s.state == stateServing && s.err == nil
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if !ready {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "not ready")
			return
		}
		fmt.Fprintln(w, "ready")
	})
}

// Stats returns a snapshot of the account. It looks at every connection: it is
// for metrics and tests, not for every request.
func (s *Server) Stats() Stats {
	stats, _ := s.conns.count()
	s.mu.Lock()
	listens := s.addr != nil // and s.ln is not written any more
	s.mu.Unlock()
	if listens {
		stats.Waiting, _ = s.ln.waiting()
	}
	return stats
}

// InFlight lists the requests whose handlers run now, the oldest first, those of
// hijacked connections and of reset HTTP/2 streams included. Like Stats it looks at
// every connection.
func (s *Server) InFlight() (rs []Request) {
	s.conns.running(func(r Request) { rs = append(rs, r) })
	oldestFirst(rs)
	return rs
}
