package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// hookScenarios are about hooks that block: the stop ends in its budget.
var hookScenarios = []scenario{
	{"ConnState/New", bubbles, allModes, blocksIn(http.StateNew, oneRequest, bound+2*time.Second)},
	{"ConnState/Idle", bubbles, allModes, blocksIn(http.StateIdle, oneRequest, bound+2*time.Second)},
	{"ConnState/Closed", bubbles, allModes, blocksIn(http.StateClosed, (*server).idleClient, bound)},
	{"ConnState/ClosedByClient", bubbles, allModes, blocksIn(http.StateClosed, oneRequestAndClose, bound+2*time.Second)},

	// HTTP/1 has read a request then. HTTP/2 is active for a moment before its first
	// request, so that it is no longer new, but has no request.
	{"ConnState/Active", bubbles, h1Modes, blocksIn(http.StateActive, oneRequest, 9*time.Second)},
	{"ConnState/BeforeActive", bubbles, h2Modes, blocksIn(http.StateActive, oneRequest, bound+2*time.Second)},

	// A connection that a hook holds up, not a client, is given more time.
	{"GetCertificate/Slow", bubbles, tlsModes, func(t *testing.T, m mode) {
		getCertificate(t, m, 2*time.Second).want(t, "hello")
	}},
	{"GetCertificate/Never", bubbles, tlsModes, func(t *testing.T, m mode) {
		getCertificate(t, m, time.Hour)
	}},

	// A hook that blocks when a connection ends late in the drain is bounded all the same.
	{"ConnStateLate", bubbles, h1Modes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		defer close(release)
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ConnState = func(_ net.Conn, st http.ConnState) {
				if st == http.StateClosed {
					<-release
				}
			}
		})
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		done := s.stopIn(time.Hour)
		time.Sleep(33 * time.Second)
		g.open()
		(<-got).want(t, "hello")
		began := time.Now()
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop() after the response", time.Since(began), 0, 3*time.Second)
	}},

	{"ConnContext", bubbles, allModes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		defer close(release)
		s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { <-release; return ctx }
		})
		s.goGet(s.client(), "/")
		time.Sleep(time.Minute)
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil: no request ran", err)
		}
		took(t, "Stop()", d, 0, 9*time.Second)
	}},

	// A request that was read, and is cut off before its handler begins, is an
	// error of its own, and its handler never runs.
	{"Unbegun", bubbles, h1Modes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ConnState = func(_ net.Conn, st http.ConnState) {
				if st == http.StateActive {
					<-release
				}
			}
		})
		got := s.goGet(s.client(), "/")
		s.states.wait(t, http.StateActive, 1)
		d, err := s.timeStop(10 * time.Second)
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		var aborted *fxshutdown.AbortedError
		if !errors.As(err, &aborted) || aborted.Unbegun != 1 || len(aborted.Requests) != 0 || !errors.Is(err, fxshutdown.ErrBudget) {
			t.Errorf("Stop() = %v, want an *AbortedError by ErrBudget with one unbegun", err)
		}
		if r := s.wantReport(account{}); r.Unbegun != 1 || r.Graceful() {
			t.Errorf("Report() = %+v, want one unbegun, not graceful", r)
		}
		close(release)
		(<-got).wantNone(t)
		synctest.Wait()
		if n := s.calls.begun.Load(); n != 0 {
			t.Errorf("the handler ran %d times after Stop had returned", n)
		}
	}},

	// Start calls BaseContext: Stop does not wait for it longer than its own time.
	{"BaseContext", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		entered, release := make(chan struct{}), make(chan struct{})
		s := newServer(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.BaseContext = func(net.Listener) context.Context {
				close(entered)
				<-release
				return context.Background()
			}
		})
		started := make(chan error, 1)
		go func() { started <- s.Start(context.Background()) }()
		defer func() { receive(t, "Start()", started) }()
		defer close(release)
		receive(t, "BaseContext", entered)
		done := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), slack)
			defer cancel()
			done <- s.Stop(ctx)
		}()
		receive(t, "Stop() with 500ms", done)
	}},

	// Only the callback itself waits if it blocks, as in net/http.
	{"RegisterOnShutdown", bubbles, allModes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		defer close(release)
		s := newServer(t, m, hello, onPipe)
		s.http.RegisterOnShutdown(func() { <-release })
		s.start()
		s.get(s.client(), "/").want(t, "hello")
		time.Sleep(time.Minute)
		d, err := s.timeStop(0)
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 0, 500*ms)
	}},

	{"Logger/Blocks", bubbles, allModes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		defer close(release)
		withLogger(t, m, func(fxshutdown.Event) { <-release })
	}},
	{"Logger/Panics", bubbles, allModes, func(t *testing.T, m mode) {
		withLogger(t, m, func(fxshutdown.Event) { panic("on purpose") })
	}},
	{"Logger/Goexit", bubbles, allModes, func(t *testing.T, m mode) {
		withLogger(t, m, func(fxshutdown.Event) { runtime.Goexit() })
	}},

	// A logger that panics misses only the event at which it panicked.
	{"Logger/PanicsOnce", sockets, []mode{h1}, func(t *testing.T, m mode) {
		var mu sync.Mutex
		var seen []string
		s := start(t, m, hello, config(func(c *fxshutdown.Config) {
			c.Logger = loggerFunc(func(e fxshutdown.Event) {
				mu.Lock()
				seen = append(seen, fmt.Sprintf("%T", e))
				mu.Unlock()
				if _, ok := e.(*fxshutdown.StopBegan); ok {
					panic("on purpose")
				}
			})
		}))
		s.mustStop()
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(seen, " "); !strings.HasSuffix(got, "*fxshutdown.Stopped") {
			t.Errorf("events = %v, want Stopped last", got)
		}
	}},
}

func oneRequest(s *server) { s.goGet(s.client(), "/") }

func oneRequestAndClose(s *server) {
	c := s.client()
	s.get(c, "/").want(s.t, "hello")
	c.CloseIdleConnections()
}

// blocksIn returns a scenario whose ConnState hook blocks in a state, forever.
func blocksIn(state http.ConnState, use func(*server), most time.Duration) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		release := make(chan struct{})
		defer close(release)
		s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ConnState = func(_ net.Conn, st http.ConnState) {
				if st == state {
					<-release
				}
			}
		})
		use(s)
		time.Sleep(time.Minute)
		d, _ := s.timeStop(10 * time.Second) // Whether a request was aborted depends on the state.
		took(t, "Stop()", d, 0, most)
	}
}

// getCertificate stops a server in the middle of a handshake, with a GetCertificate
// that takes its time, and returns what the client got.
func getCertificate(t *testing.T, m mode, takes time.Duration) reply {
	t.Helper()
	enough := make(chan struct{})
	s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
		srv.TLSConfig.Certificates = nil
		srv.TLSConfig.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			select {
			case <-time.After(takes):
			case <-enough:
			}
			return &certificate, nil
		}
	})
	got := s.goGet(s.client(), "/")
	s.states.wait(t, http.StateNew, 1)
	synctest.Wait()
	s.mustStopIn(2*time.Second, 2*time.Second+bound)
	close(enough)
	return <-got
}

// withLogger stops a server that a logger holds up, or lets down.
func withLogger(t *testing.T, m mode, logger loggerFunc) {
	t.Helper()
	s, g, got := startHeld(t, m, "/slow", onPipe, config(func(c *fxshutdown.Config) { c.Logger = logger }))
	done := s.stopIn(patience)
	<-s.Draining() // from here on the client is told
	g.open()
	receive(t, "the client", got).want(t, "hello")
	began := time.Now()
	wantStopped(t, done)
	took(t, "Stop() after the response", time.Since(began), 0, 300*ms) // the stop waits for a blocked Logger, and a pipe cannot be half-closed
	s.wantReport(account{answered: 1})
}

type loggerFunc func(fxshutdown.Event)

func (f loggerFunc) LogEvent(e fxshutdown.Event) { f(e) }
