package fxshutdown_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A subject is a server in a state of the matrix.
type subject struct {
	*server
	starting chan error // receives the result of a Start that still runs, in state starting
	request  <-chan reply
	leave    func() // ends what holds the server in its state
}

// states of the matrix, as functions that bring a new server there.
var serverStates = map[string]func(*testing.T) *subject{
	"new": func(t *testing.T) *subject {
		return &subject{server: newServer(t, h1, hello), leave: func() {}}
	},
	"starting": func(t *testing.T) *subject {
		resolving, leave := holdResolver(t)
		s := &subject{server: newServer(t, h1, hello, addr("held.invalid:0")), starting: make(chan error, 1), leave: leave}
		go func() { s.starting <- s.Start(context.Background()) }()
		receive(t, "the resolver", resolving)
		return s
	},
	"serving": func(t *testing.T) *subject {
		return &subject{server: start(t, h1, hello), leave: func() {}}
	},
	"stopping": func(t *testing.T) *subject {
		g := newGate()
		s := &subject{server: start(t, h1, g.ServeHTTP), leave: g.open}
		s.request = s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		s.stopIn(0)
		event[*fxshutdown.ListenerClosed](s.server)
		return s
	},
	"stopped": func(t *testing.T) *subject {
		s := &subject{server: start(t, h1, hello), leave: func() {}}
		s.mustStop()
		return s
	},
	"failed start": func(t *testing.T) *subject {
		busy := listen(t, "tcp", "127.0.0.1:0")
		s := &subject{server: newServer(t, h1, hello, addr(busy.Addr().String())), leave: func() { busy.Close() }}
		if err := s.Start(context.Background()); err == nil {
			t.Fatal("Start() on a busy port = nil")
		}
		return s
	},
	"listener died": func(t *testing.T) *subject {
		l := &faultyListener{Listener: listen(t, "tcp", "127.0.0.1:0"), fail: make(chan error, 1)}
		s := &subject{server: start(t, h1, hello, on(l)), leave: func() {}}
		s.get(s.client(), "/").want(t, "hello")
		l.fail <- errOdd
		// Accept returns this one, and the error then; or the error at once, if the
		// server has not called it again yet.
		if r := s.get(s.client(), "/"); r.err == nil {
			s.states.wait(t, http.StateIdle, 2)
		}
		receive(t, "Done()", s.Done())
		return s
	},
}

// TestStates is the contract matrix: every state against Start, Stop, Close and
// a new connection.
func TestStates(t *testing.T) {
	type want struct {
		start error // nil, or one that errors.Is finds; errAny for any
		stop  error
		close error
		serve bool // whether a new connection is served
	}
	errAny := errors.New("any error")
	tests := map[string]want{
		"new":           {},
		"starting":      {start: fxshutdown.ErrStarted},
		"serving":       {start: fxshutdown.ErrStarted, serve: true},
		"stopping":      {start: fxshutdown.ErrStopped, close: fxshutdown.ErrForced},
		"stopped":       {start: fxshutdown.ErrStopped},
		"failed start":  {start: errAny},
		"listener died": {start: fxshutdown.ErrStarted},
	}
	for state, want := range tests {
		t.Run(state, func(t *testing.T) {
			enter := serverStates[state]
			t.Run("Start", func(t *testing.T) {
				s := enter(t)
				defer s.leave()
				err := s.Start(context.Background())
				switch want.start {
				case errAny:
					if err == nil {
						t.Error("Start() = nil, want an error")
					}
				default:
					// Both errors are true for a server that was started and stopped.
					if !errors.Is(err, want.start) && !(want.start != nil && errors.Is(err, fxshutdown.ErrStarted)) {
						t.Errorf("Start() = %v, want %v", err, want.start)
					}
				}
			})
			t.Run("Stop", func(t *testing.T) {
				s := enter(t)
				defer s.leave()
				done := make(chan error, 1)
				go func() { done <- s.Stop(context.Background()) }()
				if state == "stopping" {
					receive(t, "Draining()", s.Draining())
					pending(t, "Stop()", done)
					s.leave()
				}
				if err := receive(t, "Stop()", done); !errors.Is(err, want.stop) {
					t.Errorf("Stop() = %v, want %v", err, want.stop)
				}
				s.wantOver()
			})
			t.Run("Close", func(t *testing.T) {
				s := enter(t)
				defer s.leave()
				done := make(chan error, 1)
				go func() { done <- s.Close() }()
				if err := receive(t, "Close()", done); !errors.Is(err, want.close) {
					t.Errorf("Close() = %v, want %v", err, want.close)
				}
				s.wantOver()
			})
			t.Run("Connection", func(t *testing.T) {
				s := enter(t)
				defer s.leave()
				if s.Addr() == nil {
					return // There is no address to connect to.
				}
				r := s.get(s.client(), "/")
				if served := r.err == nil; served != want.serve {
					t.Errorf("a new connection is served: %v, want %v (%v)", served, want.serve, r.err)
				}
			})
			t.Run("SetUnready", func(t *testing.T) {
				s := enter(t)
				defer s.leave()
				done := isClosed(s.Done())
				s.SetUnready("test")
				if got := readiness(s.Server); got != http.StatusServiceUnavailable {
					t.Errorf("ReadyHandler() = %d, want 503", got)
				}
				if !isClosed(s.Unready()) {
					t.Error("Unready() is open")
				}
				if isClosed(s.Done()) != done {
					t.Error("Done() has changed")
				}
			})
			t.Run("Observers", func(t *testing.T) {
				s := enter(t)
				defer s.leave()
				if got, want := s.Addr() == nil, state == "new" || state == "starting" || state == "failed start"; got != want {
					t.Errorf("Addr() = %v, want nil: %v", s.Addr(), want)
				}
				if got, want := isClosed(s.Draining()), state == "stopping" || state == "stopped"; got != want {
					t.Errorf("Draining() is closed: %v, want %v", got, want)
				}
				if got, want := isClosed(s.Done()), state == "stopped" || state == "listener died"; got != want {
					t.Errorf("Done() is closed: %v, want %v", got, want)
				}
				if got, want := errors.Is(s.Err(), errOdd), state == "listener died"; got != want || !want && s.Err() != nil {
					t.Errorf("Err() = %v, want the listener's: %v", s.Err(), want)
				}
				if got, want := readiness(s.Server), wantReady(state == "serving"); got != want {
					t.Errorf("ReadyHandler() = %d, want %d", got, want)
				}
				if got, want := s.Report().Trigger != "", state == "stopping" || state == "stopped"; got != want {
					t.Errorf("Report() = %+v, want zero: %v", s.Report(), !want)
				}
				if got := s.HTTPServer(); got != s.http {
					t.Errorf("HTTPServer() = %p, want the given %p", got, s.http)
				}
			})
		})
	}
}

// wantOver checks a server that was stopped, in whatever state it was before.
func (s *subject) wantOver() {
	s.t.Helper()
	receive(s.t, "Done()", s.Done())
	if s.starting != nil {
		if err := receive(s.t, "the interrupted Start()", s.starting); !errors.Is(err, fxshutdown.ErrStopped) {
			s.t.Errorf("the interrupted Start() = %v, want ErrStopped", err)
		}
	}
	if got := readiness(s.Server); got != http.StatusServiceUnavailable {
		s.t.Errorf("ReadyHandler() after the stop = %d, want 503", got)
	}
	if err := s.Start(context.Background()); !errors.Is(err, fxshutdown.ErrStopped) && !errors.Is(err, fxshutdown.ErrStarted) {
		s.t.Errorf("Start() after the stop = %v, want ErrStopped", err)
	}
	if st := s.Stats(); st.Open() != 0 {
		s.t.Errorf("Stats() after the stop = %+v, want none open", st)
	}
}

// readiness returns what a readiness probe gets.
func readiness(s *fxshutdown.Server) int {
	w := httptest.NewRecorder()
	s.ReadyHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
	return w.Code
}

// A probe gets text, which must not be cached.
func TestReadyHeader(t *testing.T) {
	s := newServer(t, h1, hello)
	for _, state := range []string{"new", "serving"} {
		if state == "serving" {
			s.start()
		}
		w := httptest.NewRecorder()
		s.ReadyHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
		if h := w.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("the header of a probe's %d is %v, want text that is not stored", w.Code, h)
		}
	}
}

func wantReady(ready bool) int {
	if ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
