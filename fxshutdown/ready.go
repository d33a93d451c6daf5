package fxshutdown

import (
	"fmt"
	"net/http"
)

// ReadyHandler returns a handler for readiness probes. Its status is 200 while the server
// serves, and 503 before Start and after SetUnready or the beginning of a stop. It
// belongs on a server that outlives this one, such as an admin server, but works on this
// one too. A handler that has conditions of its own can check them first and then call
// this one.
func (s *Server) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ready := s.IsReady()
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

// IsReady reports what the ReadyHandler answers.
func (s *Server) IsReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateServing && s.err == nil && s.unreadyAt == 0
}

// Unready returns a channel that is closed when new clients should go elsewhere: as soon
// as readiness fails, whether because of a stop, before ShutdownDelay, or because of
// SetUnready, which may come long before the stop. That is the time to leave a service
// registry.
func (s *Server) Unready() <-chan struct{} { return s.stopping }

// SetUnready makes readiness fail for good, which closes the channel of Unready; nothing
// else changes. Call it if you know that a stop is coming before Stop is called:
// ShutdownDelay then counts from here, and the stop waits only for what is left of it. If
// no stop comes, the server continues to serve, unready.
//
// The event [Unready] has the reason, escaped and cut after 256 bytes. Only the first
// call counts; further calls, and calls after a stop has begun, do nothing. SetUnready
// may be called in every state, including before Start, and does not block.
func (s *Server) SetUnready(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.setUnreadyLocked() {
		s.events.emit(&Unready{Reason: shown(reason)})
	}
}

// setUnreadyLocked reports whether the server was not unready before.
func (s *Server) setUnreadyLocked() bool {
	if s.unreadyAt != 0 {
		return false
	}
	s.unreadyAt = max(s.now(), 1)
	close(s.stopping)
	return true
}
