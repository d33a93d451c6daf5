package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A subject is a server that was brought into a state of the matrix.
type subject struct {
	*server
	starting chan error // has the result of a Start that still runs, in state starting
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
		s.get(s.client(), "/") // Accept returns this one, and the error then.
		s.states.wait(t, http.StateIdle, 2)
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
					// Both are true of a server that was started and stopped.
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
					t.Errorf("Ready() = %d, want %d", got, want)
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

// Those who wait for the drain are not left waiting by a server that is stopped
// before it served.
func TestDrainingWithoutStart(t *testing.T) {
	for name, stop := range map[string]func(*server) error{
		"Stop":           (*server).stop,
		"Close":          func(s *server) error { return s.Close() },
		"ServerShutdown": func(s *server) error { return errors.Join(s.http.Shutdown(context.Background()), s.stop()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, h1, hello)
			if err := stop(s); err != nil {
				t.Errorf("%s() = %v, want nil", name, err)
			}
			receive(t, "Done()", s.Done())
			if !isClosed(s.Draining()) || !isClosed(s.Stopping()) {
				t.Error("Draining() or Stopping() is open after a stop, want both closed")
			}
			if r := s.Report(); !r.Graceful() {
				t.Errorf("Report() = %+v, want it graceful: there was nothing to cut", r)
			}
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
		s.t.Errorf("Ready() after the stop = %d, want 503", got)
	}
	if err := s.Start(context.Background()); !errors.Is(err, fxshutdown.ErrStopped) && !errors.Is(err, fxshutdown.ErrStarted) {
		s.t.Errorf("Start() after the stop = %v, want ErrStopped", err)
	}
	if st := s.Stats(); st.Open() != 0 {
		s.t.Errorf("Stats() after the stop = %+v, want none open", st)
	}
}

func TestStartErrorThenRestart(t *testing.T) {
	busy := listen(t, "tcp", "127.0.0.1:0")
	at := busy.Addr().String()
	s := newServer(t, h1, hello, addr(at))
	for range 3 {
		err := s.Start(context.Background())
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Fatalf("Start() on a busy port = %v, want an error that names %s", err, at)
		}
		if s.Addr() != nil || isClosed(s.Done()) || s.Err() != nil {
			t.Errorf("after a failed Start: Addr() = %v, Done closed: %v, Err() = %v", s.Addr(), isClosed(s.Done()), s.Err())
		}
	}
	busy.Close()
	s.start()
	s.get(s.client(), "/").want(t, "hello")
	s.states.wait(t, http.StateIdle, 1)
	s.mustStop()
	s.wantReport(account{})
}

// A listener that Config brought stays open when Start fails.
func TestStartErrorLeavesListenerOpen(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	s := newServer(t, https1, hello, on(l), func(srv *http.Server, _ *fxshutdown.Config) { srv.TLSConfig = nil })
	if err := s.Start(context.Background()); err == nil {
		t.Fatal("Start() with TLS and no certificate = nil")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err != nil {
			t.Errorf("the listener after a failed Start: %v", err)
		} else {
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	receive(t, "Accept", done)
}

// The context of Start bounds the binding alone.
func TestStartContext(t *testing.T) {
	t.Run("EndsTheBinding", func(t *testing.T) {
		resolving, leave := holdResolver(t)
		defer leave()
		s := newServer(t, h1, hello, addr("held.invalid:0"))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Start(ctx) }()
		receive(t, "the resolver", resolving)
		cancel()
		if err := receive(t, "Start()", done); err == nil || errors.Is(err, fxshutdown.ErrStopped) {
			t.Errorf("Start() with a cancelled context = %v, want the context's error", err)
		}
		if isClosed(s.Done()) {
			t.Error("Done() is closed after a failed Start")
		}
	})
	t.Run("EndedBefore", func(t *testing.T) {
		s := newServer(t, h1, hello)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Start(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Start() with a cancelled context = %v, want the context's error", err)
		}
		s.start() // It may be tried again.
	})
	t.Run("NotTheServing", func(t *testing.T) {
		s := newServer(t, h1, hello)
		ctx, cancel := context.WithCancel(context.Background())
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
	})
}

func TestStopTwice(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		first := fmt.Sprintf("%+v", s.Report())
		s.mustStop()
		if err := s.Close(); err != nil {
			t.Errorf("Close() after Stop = %v, want nil", err)
		}
		if got := fmt.Sprintf("%+v", s.Report()); got != first {
			t.Errorf("Report() after a second Stop = %v, want %v", got, first)
		}
		if s.Err() != nil {
			t.Errorf("Err() = %v, want nil", s.Err())
		}
	})
}

func TestStopConcurrently(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP)
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		const n = 10
		errs := make(chan error, n)
		for range n {
			go func() { errs <- s.stop() }()
		}
		receive(t, "Draining()", s.Draining())
		pending(t, "Stop()", errs)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		for range n {
			if err := receive(t, "Stop()", errs); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		}
		s.wantReport(account{answered: 1})
	})
}

// All who stop get the error of the one stop.
func TestStopConcurrentlyError(t *testing.T) {
	g := newGate()
	defer g.open()
	s := start(t, h1, g.ServeHTTP)
	s.goGet(s.client(), "/slow")
	g.waitEntered(t, 1)
	const n = 10
	errs := make(chan error, n)
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	for range n {
		go func() { errs <- s.Stop(ctx) }()
	}
	var first error
	for range n {
		err := receive(t, "Stop()", errs)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/slow")
		if first == nil {
			first = err
		}
		if !errors.Is(err, first) {
			t.Errorf("Stop() = %v and %v, want the same", err, first)
		}
	}
	wantAborted(t, "Stop() again", s.Stop(context.Background()), fxshutdown.ErrBudget, "/slow")
	wantAborted(t, "Err()", s.Err(), fxshutdown.ErrBudget, "/slow")
	s.wantReport(account{aborted: 1})
}

func TestCloseDuringStop(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP)
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		done := s.stopIn(0)
		wantAborted(t, "Close()", s.Close(), fxshutdown.ErrForced, "/slow")
		wantAborted(t, "Stop()", receive(t, "Stop()", done), fxshutdown.ErrForced, "/slow")
		if r := receive(t, "the client", got); r.err == nil {
			t.Errorf("response = %v, want none", r.resp.Status)
		}
		if r := s.wantReport(account{aborted: 1}); r.Trigger != "stop" {
			t.Errorf("Report().Trigger = %q, want stop, which came first", r.Trigger)
		}
	})
}

// Close while the readiness delay runs does not wait for it.
func TestCloseDuringDelay(t *testing.T) {
	s := start(t, h1, hello, config(func(c *fxshutdown.Config) { c.ShutdownDelay = time.Hour }))
	s.get(s.client(), "/").want(t, "hello")
	s.states.wait(t, http.StateIdle, 1)
	done := make(chan error, 1)
	go func() { done <- s.Stop(context.Background()) }()
	event[*fxshutdown.Stopping](s)
	if err := s.Close(); err != nil {
		t.Errorf("Close() = %v, want nil: no request ran", err)
	}
	if err := receive(t, "Stop()", done); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
}

// A stop in the middle of a Start that then fails was a stop all the same.
func TestStopBeforeStartFails(t *testing.T) {
	s := newServer(t, h1, hello)
	stopped := make(chan error, 1)
	s.http.BaseContext = func(net.Listener) context.Context {
		go func() { stopped <- s.stop() }()
		eventually(t, "the stop has begun", func() bool { return !s.Report().Began.IsZero() })
		return nil
	}
	if err := s.Start(context.Background()); !errors.Is(err, fxshutdown.ErrStopped) {
		t.Errorf("Start() = %v, want ErrStopped", err)
	}
	if err := receive(t, "Stop()", stopped); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	if r := s.Report(); !r.Graceful() {
		t.Errorf("Report() = %+v, want it graceful: there was nothing to cut", r)
	}
}

// Start and a Shutdown of the given server at once: its hook does not hear of
// what they have to do with each other.
func TestShutdownDuringStart(t *testing.T) {
	for range 200 {
		s := newServer(t, h1, hello)
		var wg sync.WaitGroup
		wg.Go(func() { s.http.Shutdown(context.Background()) })
		wg.Go(func() {
			if err := s.Start(context.Background()); err != nil && !errors.Is(err, fxshutdown.ErrStopped) {
				t.Errorf("Start() = %v, want nil or ErrStopped", err)
			}
		})
		wg.Wait()
		s.mustStop()
		if seen := s.states.conns(); len(seen) > 0 {
			t.Fatalf("ConnState saw %v, without any client", seen)
		}
	}
}

// An http.Server has one Server. The second is told so, and does the first no harm.
func TestSameServerTwice(t *testing.T) {
	s := start(t, h1, hello)
	second, err := fxshutdown.New(s.http, fxshutdown.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := second.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "another Server") {
			t.Fatalf("Start() of the second Server = %v, want an error that names another Server", err)
		}
		s.get(s.client(), "/").want(t, "hello")
	}
	s.mustStop()
	if err := second.Start(context.Background()); !errors.Is(err, fxshutdown.ErrStopped) {
		t.Errorf("Start() after the first Server's stop = %v, want ErrStopped", err)
	}
}

// Stop in a hook of a connection waits for that hook, but not for ever.
func TestStopFromConnState(t *testing.T) {
	for _, state := range []http.ConnState{http.StateIdle, http.StateClosed} {
		t.Run(state.String(), func(t *testing.T) {
			bubbles(t, h1Modes, func(t *testing.T, m mode) {
				var s *server
				stopped := make(chan error, 1)
				s = start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
					srv.ConnState = func(_ net.Conn, st http.ConnState) {
						if st == state && !isClosed(s.Draining()) {
							stopped <- s.Stop(context.Background())
						}
					}
				})
				c := s.client()
				s.get(c, "/").want(t, "hello")
				c.CloseIdleConnections()
				began := time.Now()
				if err := <-stopped; err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
				took(t, "Stop()", time.Since(began), 0, 3*time.Second)
			})
		})
	}
}

// Start and Stop at once: whoever wins, the server is stopped, nothing is left,
// and Start says what happened.
func TestStopDuringStart(t *testing.T) {
	for range 200 {
		s := newServer(t, h1, hello)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Start(context.Background()); err != nil && !errors.Is(err, fxshutdown.ErrStopped) {
				t.Errorf("Start() = %v, want nil or ErrStopped", err)
			}
		})
		wg.Go(s.mustStop)
		wg.Wait()
		receive(t, "Done()", s.Done())
		if a := s.Addr(); a != nil {
			if c, err := net.Dial(a.Network(), a.String()); err == nil {
				c.Close()
				t.Error("a dial after Stop: connected, want it refused")
			}
		}
	}
}

// A Stop whose context is over forces at once.
func TestStopWithExpiredContext(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, config(func(c *fxshutdown.Config) { c.ShutdownDelay = time.Hour }))
		idle := s.client()
		s.get(idle, "/quick").want(t, "hello")
		s.states.wait(t, http.StateIdle, 1)
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		began := time.Now()
		err := s.Stop(ctx)
		if took := time.Since(began); took > slack {
			t.Errorf("Stop() with an expired context took %v", took)
		}
		wantAborted(t, "Stop()", err, fxshutdown.ErrStopping, "/slow")
		if r := receive(t, "the client", got); r.err == nil {
			t.Errorf("response = %v, want none", r.resp.Status)
		}
		s.wantReport(account{aborted: 1})
	})
}

// The context of a Stop that is cancelled, not timed out, forces too.
func TestStopCancelled(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP)
		s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- s.Stop(ctx) }()
		receive(t, "Draining()", s.Draining())
		pending(t, "Stop()", done)
		cancel()
		wantAborted(t, "Stop()", receive(t, "Stop()", done), fxshutdown.ErrForced, "/slow")
		s.wantReport(account{aborted: 1})
	})
}

// A Stop that joins can make the stop end earlier; one with more time cannot
// make it end later.
func TestStopJoinedWithShorterDeadline(t *testing.T) {
	g := newGate()
	defer g.open()
	s := start(t, h1, g.ServeHTTP)
	s.goGet(s.client(), "/slow")
	g.waitEntered(t, 1)
	first := s.stopIn(0)
	second := s.stopIn(time.Hour)
	const budget = 500 * time.Millisecond
	began := time.Now()
	third := s.stopIn(budget)
	for _, done := range []<-chan error{first, second, third} {
		wantAborted(t, "Stop()", receive(t, "Stop()", done), fxshutdown.ErrBudget, "/slow")
	}
	if took := time.Since(began); took > budget+slack {
		t.Errorf("Stop() joined with %v took %v", budget, took)
	}
	s.wantReport(account{aborted: 1})
}

// TestShutdownOfGiven calls Shutdown and Close on the http.Server that was
// given to New: they do what net/http documents.
func TestShutdownOfGiven(t *testing.T) {
	t.Run("ShutdownWaits", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := newServer(t, m, g.ServeHTTP)
			called := make(chan bool, 10)
			s.http.RegisterOnShutdown(func() { called <- true })
			s.start()
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			done := make(chan error, 1)
			go func() { done <- s.http.Shutdown(context.Background()) }()
			receive(t, "RegisterOnShutdown", called)
			receive(t, "Draining()", s.Draining())
			pending(t, "Shutdown()", done)
			g.open()
			r := receive(t, "the client", got)
			r.want(t, "hello")
			r.wantClose(t, !m.h2)
			if err := receive(t, "Shutdown()", done); err != nil {
				t.Errorf("Shutdown() = %v, want nil", err)
			}
			receive(t, "Done()", s.Done())
			s.mustStop()
			if s.Err() != nil {
				t.Errorf("Err() = %v, want nil", s.Err())
			}
			pending(t, "RegisterOnShutdown", called)
			if r := s.wantReport(account{answered: 1}); r.Trigger != "http.Server" {
				t.Errorf("Report().Trigger = %q, want http.Server", r.Trigger)
			}
		})
	})

	// "If the provided context expires before the shutdown is complete,
	// Shutdown returns the context's error": it interrupts nothing.
	t.Run("ShutdownContext", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP)
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := s.http.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Shutdown() = %v, want context.DeadlineExceeded", err)
			}
			if took := time.Since(began); took > slack+50*time.Millisecond {
				t.Errorf("Shutdown() with 50ms took %v", took)
			}
			if n := s.Stats().InFlight; n != 1 {
				t.Errorf("Stats().InFlight = %d after Shutdown's context ended, want 1", n)
			}
			done := make(chan error, 1)
			go func() { done <- s.Stop(context.Background()) }()
			g.open()
			receive(t, "the client", got).want(t, "hello")
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})

	t.Run("Close", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			entered, release := make(chan context.Context, 1), make(chan struct{})
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				entered <- r.Context()
				<-release
			})
			defer close(release)
			got := s.goGet(s.client(), "/slow")
			ctx := receive(t, "the handler", entered)
			if err := s.http.Close(); err != nil {
				t.Errorf("http.Server.Close() = %v, want nil", err)
			}
			if r := receive(t, "the client", got); r.err == nil {
				t.Errorf("response = %v, want none", r.resp.Status)
			}
			receive(t, "the request's context", ctx.Done())
			receive(t, "Done()", s.Done())
			wantAborted(t, "Stop()", s.stop(), fxshutdown.ErrForced, "/slow")
			if r := s.wantReport(account{aborted: 1}); r.Trigger != "http.Server" {
				t.Errorf("Report().Trigger = %q, want http.Server", r.Trigger)
			}
		})
	})

	t.Run("ConcurrentlyWithStop", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := newServer(t, m, g.ServeHTTP)
			called := make(chan bool, 100)
			s.http.RegisterOnShutdown(func() { called <- true })
			s.start()
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			const n = 10
			errs := make(chan error, 2*n)
			for range n {
				go func() { errs <- s.http.Shutdown(context.Background()) }()
				go func() { errs <- s.Stop(context.Background()) }()
			}
			receive(t, "RegisterOnShutdown", called)
			g.open()
			receive(t, "the client", got).want(t, "hello")
			for range 2 * n {
				if err := receive(t, "Shutdown() or Stop()", errs); err != nil {
					t.Errorf("Shutdown() or Stop() = %v, want nil", err)
				}
			}
			// Each Shutdown runs the callbacks, as that of a bare http.Server does,
			// and all Stops together once.
			if got := 1 + len(called); got > n+1 {
				t.Errorf("the callback of RegisterOnShutdown ran %d times, want at most %d", got, n+1)
			}
			s.wantReport(account{answered: 1})
		})
	})

	t.Run("ShutdownAfterStop", func(t *testing.T) {
		s := start(t, h1, hello)
		s.mustStop()
		if err := s.http.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown() after Stop = %v, want nil", err)
		}
		if err := s.http.Close(); err != nil {
			t.Errorf("http.Server.Close() after Stop = %v, want nil", err)
		}
	})

	// A bare http.Server that was shut down serves no more.
	t.Run("ShutdownBeforeStart", func(t *testing.T) {
		s := newServer(t, h1, hello)
		if err := s.http.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown() = %v, want nil", err)
		}
		err := s.Start(context.Background())
		if !errors.Is(err, fxshutdown.ErrStopped) && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Start() after Shutdown = %v, want ErrStopped", err)
		}
		s.mustStop()
	})

	t.Run("CloseBeforeStart", func(t *testing.T) {
		s := newServer(t, h1, hello)
		if err := s.http.Close(); err != nil {
			t.Errorf("http.Server.Close() = %v, want nil", err)
		}
		err := s.Start(context.Background())
		if !errors.Is(err, fxshutdown.ErrStopped) && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Start() after Close = %v, want ErrStopped", err)
		}
		s.mustStop()
	})

	// A Shutdown from a handler, with the handler's own request running.
	t.Run("FromHandler", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			done := make(chan error, 1)
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				srv := r.Context().Value(http.ServerContextKey).(*http.Server)
				go func() { done <- srv.Shutdown(context.Background()) }()
				<-fxshutdown.Draining(r.Context())
				hello(w, r)
			})
			s.get(s.client(), "/").want(t, "hello")
			if err := receive(t, "Shutdown()", done); err != nil {
				t.Errorf("Shutdown() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})
}

// TestNew checks that New rejects by name what cannot be used, and touches nothing.
func TestNew(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  fxshutdown.Config
		want []string
	}{
		{"Network", fxshutdown.Config{Network: "udp"}, []string{"Network"}},
		{"RequestGrace", fxshutdown.Config{RequestGrace: time.Millisecond}, []string{"RequestGrace", "IdleGrace"}},
		{"DrainTimeout", fxshutdown.Config{DrainTimeout: time.Second, RequestGrace: time.Second, HijackGrace: time.Minute},
			[]string{"RequestGrace", "HijackGrace", "DrainTimeout"}},
		{"ListenerAndNetwork", fxshutdown.Config{Network: "tcp", Listener: newPipeListener()}, []string{"Network", "Listener"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := fxshutdown.New(&http.Server{}, test.cfg)
			if err == nil {
				t.Fatal("New() = nil, want an error")
			}
			for _, field := range test.want {
				if !strings.Contains(err.Error(), field) {
					t.Errorf("New() = %v, want %s named", err, field)
				}
			}
		})
	}
	t.Run("NilServer", func(t *testing.T) {
		if s, err := fxshutdown.New(nil, fxshutdown.Config{}); err == nil {
			t.Errorf("New(nil) = %v, nil; want an error", s)
		}
	})
	t.Run("TouchesNothing", func(t *testing.T) {
		srv := &http.Server{}
		if _, err := fxshutdown.New(srv, fxshutdown.Config{}); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%#v", srv), fmt.Sprintf("%#v", &http.Server{}); got != want {
			t.Errorf("New changed the http.Server: %s", got)
		}
	})
}

// holdResolver holds every look-up of a name until leave is called, so that
// Start waits for its address. resolving has a value for each.
func holdResolver(t *testing.T) (resolving <-chan struct{}, leave func()) {
	entered, released := make(chan struct{}, 100), make(chan struct{})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		entered <- struct{}{}
		select {
		case <-released:
		case <-ctx.Done():
		}
		return nil, errors.New("no name server")
	}}
	var once sync.Once
	t.Cleanup(func() { net.DefaultResolver = before })
	return entered, func() { once.Do(func() { close(released) }) }
}

// readiness returns what a readiness probe gets.
func readiness(s *fxshutdown.Server) int {
	w := httptest.NewRecorder()
	s.Ready().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", nil))
	return w.Code
}

func wantReady(ready bool) int {
	if ready {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}
