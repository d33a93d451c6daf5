package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestHandlerFaults is about handlers that misbehave while the server drains.
func TestHandlerFaults(t *testing.T) {
	for name, value := range map[string]any{"Panic": "on purpose", "Abort": http.ErrAbortHandler} {
		t.Run(name, func(t *testing.T) {
			inModes(t, allModes, func(t *testing.T, m mode) {
				g := newGate()
				defer g.open()
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					g.ServeHTTP(w, r)
					if r.URL.Path == "/bad" {
						panic(value)
					}
				})
				good, bad := s.goGet(s.client(), "/good"), s.goGet(s.client(), "/bad")
				g.waitEntered(t, 2)
				done := s.stopIn(patience)
				g.open()
				receive(t, "the good client", good).want(t, "hello")
				if r := receive(t, "the bad client", bad); r.err == nil {
					t.Errorf("response of a handler that panics = %v", r.resp.Status)
				}
				if err := receive(t, "Stop()", done); err != nil {
					t.Errorf("Stop() = %v, want nil: a panic is no abort", err)
				}
				r := s.wantReport(account{answered: 1, failed: 1})
				if !r.Graceful() {
					t.Errorf("Report() = %+v, want graceful: nothing was cut", r)
				}
				if st := s.Stats(); st.Failed != 1 {
					t.Errorf("Stats() = %+v, want one failed", st)
				}
			})
		})
	}

	// Goexit ends the goroutine that serves the connection; the account holds.
	t.Run("PanicBeforeStop", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
			s.get(s.client(), "/")
			s.calls.wait(t)
			s.mustStop()
			if st := s.Stats(); st.Failed != 1 || st.Requests != 1 {
				t.Errorf("Stats() = %+v, want one request, failed", st)
			}
		})
	})

	// A write after the handler's end is the handler's mistake, and hurts nobody else.
	// net/http logs a panic before it closes the connection. If that blocks until
	// the cut, the request is on the account as failed, and as nothing else.
	t.Run("PanicLoggedSlowly", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			release := make(chan struct{})
			s := start(t, m, func(http.ResponseWriter, *http.Request) { panic("on purpose") }, onPipe,
				func(srv *http.Server, _ *fxshutdown.Config) {
					srv.ErrorLog = log.New(writerFunc(func(p []byte) (int, error) { <-release; return len(p), nil }), "", 0)
				})
			got := s.goGet(s.client(), "/")
			synctest.Wait()
			if _, err := s.timeStop(10 * time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil: the request was over", err)
			}
			if st := s.Stats(); st.Failed != 1 {
				t.Errorf("Stats() = %+v, want one failed", st)
			}
			if r := s.wantReport(account{}); r.Unbegun != 0 {
				t.Errorf("Report() = %+v, want none unbegun", r)
			}
			close(release)
			<-got
		})
	})
	t.Run("WriteAfterEnd", func(t *testing.T) {
		inModes(t, h2Modes, func(t *testing.T, m mode) {
			var writers sync.WaitGroup
			ended := make(chan struct{})
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				hello(w, r)
				writers.Go(func() {
					defer func() { recover() }() // net/http panics where it can tell.
					<-ended
					io.WriteString(w, "too late")
				})
			})
			s.get(s.client(), "/").want(t, "hello")
			s.mustStop()
			close(ended)
			writers.Wait()
		})
	})
}

// TestListenerFaults is about listeners that misbehave.
func TestListenerFaults(t *testing.T) {
	emfile := &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}

	// Out of descriptors for a while: it is asked again, and served then.
	t.Run("Temporary", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			l := &flakyListener{pipeListener: newPipeListener(), err: emfile}
			l.failing.Store(true)
			s := start(t, m, hello, on(l))
			got := s.goGet(s.client(), "/")
			time.Sleep(30 * time.Second)
			pending(t, "a response", got)
			if isClosed(s.Done()) {
				t.Fatalf("Done() is closed by a temporary error: %v", s.Err())
			}
			e := event[*fxshutdown.AcceptRetrying](s)
			if !errors.Is(e.Err, syscall.EMFILE) || e.Delay <= 0 {
				t.Errorf("AcceptRetrying = %+v, want EMFILE and a delay", e)
			}
			if n := l.asked.Load(); n < 10 || n > 10_000 {
				t.Errorf("asked %d times in 30s, want now and then", n)
			}
			l.failing.Store(false)
			time.Sleep(2 * time.Second)
			(<-got).want(t, "hello")
			s.mustStop()
		})
	})

	// A stop in the meantime does not wait for it.
	t.Run("TemporaryDuringStop", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			l := &flakyListener{pipeListener: newPipeListener(), err: emfile}
			s := start(t, m, hello, on(l))
			s.get(s.client(), "/").want(t, "hello")
			l.failing.Store(true)
			s.dial(context.Background())
			time.Sleep(30 * time.Second)
			s.mustStopIn(0, bound)
		})
	})

	// Out of descriptors for real does not drop the clients that wait in the queue.
	t.Run("Final", func(t *testing.T) {
		for name, err := range map[string]error{
			"Odd": errOdd, "Closed": net.ErrClosed, "EOF": io.EOF, "Timeout": os.ErrDeadlineExceeded,
		} {
			t.Run(name, func(t *testing.T) {
				bubbles(t, allModes, func(t *testing.T, m mode) {
					l := &flakyListener{pipeListener: newPipeListener(), err: err}
					g := newGate()
					defer g.open()
					s := start(t, m, g.ServeHTTP, on(l))
					c := s.client()
					got := s.goGet(c, "/slow")
					g.waitEntered(t, 1)
					l.failing.Store(true)
					s.dial(context.Background()) // Wakes Accept.
					time.Sleep(time.Minute)
					if name == "Timeout" {
						return // Whether it passes is not for us to tell.
					}
					if !isClosed(s.Done()) {
						t.Fatal("Done() is open after the listener failed for good")
					}
					if !errors.Is(s.Err(), err) {
						t.Errorf("Err() = %v, want %v", s.Err(), err)
					}
					if e := event[*fxshutdown.ServeFailed](s); !errors.Is(e.Err, err) {
						t.Errorf("ServeFailed = %+v, want %v", e, err)
					}
					if got := readiness(s.Server); got != http.StatusServiceUnavailable {
						t.Errorf("Ready() = %d, want 503", got)
					}
					// Connections that are open stay served until Stop.
					g.open()
					(<-got).want(t, "hello")
					s.get(c, "/quick").want(t, "hello")
					s.mustStopIn(0, bound)
					if !errors.Is(s.Err(), err) {
						t.Errorf("Err() after Stop = %v, want %v still", s.Err(), err)
					}
				})
			})
		}
	})

	// A listener whose Close fails is reported, and is no error of Stop.
	t.Run("CloseFails", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, on(&faultyListener{Listener: listen(t, "tcp", "127.0.0.1:0"), close: errOdd}))
			s.get(s.client(), "/").want(t, "hello")
			s.mustStop()
			if r := s.Report(); !errors.Is(r.ListenerErr, errOdd) || !r.Graceful() {
				t.Errorf("Report() = %+v, want ListenerErr %v, graceful", r, errOdd)
			}
			if e := event[*fxshutdown.ListenerClosed](s); !errors.Is(e.Err, errOdd) {
				t.Errorf("ListenerClosed = %+v, want %v", e, errOdd)
			}
		})
	})

	// One that somebody closed under the server has failed once, and not again when
	// the stop closes it.
	t.Run("ClosedByOthers", func(t *testing.T) {
		l := listen(t, "tcp", "127.0.0.1:0")
		s := start(t, h1, hello, on(l))
		l.Close()
		receive(t, "Done()", s.Done())
		s.mustStop()
		if !errors.Is(s.Err(), net.ErrClosed) {
			t.Errorf("Err() = %v, want net.ErrClosed", s.Err())
		}
		if r := s.Report(); r.ListenerErr != nil {
			t.Errorf("Report().ListenerErr = %v, want nil", r.ListenerErr)
		}
	})

	// A TCP listener that does not show its SetDeadline.
	t.Run("NoSetDeadline", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, on(struct{ net.Listener }{listen(t, "tcp", "127.0.0.1:0")}), idleGrace(patience))
			const n = 32
			conns := make([]net.Conn, n)
			for i := range conns {
				conns[i] = s.socket()
			}
			done := s.stopIn(0)
			for _, c := range conns {
				c.Close()
			}
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if st := s.Stats(); st.Accepted != n {
				t.Errorf("Stats().Accepted = %d, want all %d that were connected", st.Accepted, n)
			}
		})
	})

	// No lock is held while it is asked for its address.
	t.Run("AddrAsksTheServer", func(t *testing.T) {
		l := &askingListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
		s := newServer(t, h1, hello, on(l))
		l.ask = func() { s.Stats() }
		started := make(chan error, 1)
		go func() { started <- s.Start(context.Background()) }()
		if err := receive(t, "Start()", started); err != nil {
			t.Errorf("Start() = %v, want nil", err)
		}
		s.get(s.client(), "/").want(t, "hello")
	})

	// One whose Close does not wake Accept does not hold the stop.
	t.Run("CloseDoesNotWake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := &sleepyListener{pipeListener: newPipeListener(), wake: make(chan struct{})}
			s := start(t, h1, hello, on(l))
			s.get(s.client(), "/").want(t, "hello")
			d, err := s.timeStop(time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil: no request ran", err)
			}
			took(t, "Stop()", d, 0, time.Second)
			close(l.wake)
		})
	})
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// askingListener asks the server while the server asks it.
type askingListener struct {
	net.Listener
	ask func()
}

func (l *askingListener) Addr() net.Addr {
	if l.ask != nil {
		l.ask()
	}
	return l.Listener.Addr()
}

// sleepyListener goes on accepting when it was closed, until wake is closed.
type sleepyListener struct {
	*pipeListener
	wake chan struct{}
}

func (l *sleepyListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.wake:
		return nil, net.ErrClosed
	}
}

// TestHookFaults is about hooks that block: the stop ends in its budget.
func TestHookFaults(t *testing.T) {
	for _, state := range []http.ConnState{http.StateNew, http.StateActive, http.StateIdle, http.StateClosed} {
		t.Run("ConnState/"+state.String(), func(t *testing.T) {
			bubbles(t, allModes, func(t *testing.T, m mode) {
				release := make(chan struct{})
				defer close(release)
				s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
					srv.ConnState = func(_ net.Conn, st http.ConnState) {
						if st == state {
							<-release
						}
					}
				})
				s.goGet(s.client(), "/")
				time.Sleep(time.Minute)
				d, _ := s.timeStop(10 * time.Second) // Whether a request was aborted depends on the state.
				took(t, "Stop()", d, 0, 9*time.Second)
			})
		})
	}
	// A connection that no client holds up, but a hook, is given more time.
	t.Run("GetCertificate", func(t *testing.T) {
		for name, takes := range map[string]time.Duration{"Slow": 2 * time.Second, "Never": time.Hour} {
			t.Run(name, func(t *testing.T) {
				bubbles(t, []mode{https1, h2}, func(t *testing.T, m mode) {
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
					if r := <-got; name == "Slow" {
						r.want(t, "hello")
					}
				})
			})
		}
	})
	// A hook that blocks when a connection ends late in the drain is bounded all the same.
	t.Run("ConnStateLate", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
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
		})
	})
	t.Run("ConnContext", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
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
		})
	})
	// A request that was read, and is cut off before its handler begins, is an
	// error of its own, and its handler never runs.
	t.Run("Unbegun", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
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
			if r := <-got; r.err == nil {
				t.Errorf("response = %v, want none", r.resp.Status)
			}
			synctest.Wait()
			if n := s.calls.begun.Load(); n != 0 {
				t.Errorf("the handler ran %d times after Stop had returned", n)
			}
		})
	})

	// Start calls BaseContext: Stop does not wait for that longer than it may.
	t.Run("BaseContext", func(t *testing.T) {
		entered, release := make(chan struct{}), make(chan struct{})
		s := newServer(t, h1, hello, func(srv *http.Server, _ *fxshutdown.Config) {
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
	})
	// A callback that blocks is the caller's own wait, as in net/http.
	t.Run("RegisterOnShutdown", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
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
		})
	})
	t.Run("Logger", func(t *testing.T) {
		release := make(chan struct{})
		for name, logger := range map[string]loggerFunc{
			"Blocks": func(fxshutdown.Event) { <-release },
			"Panics": func(fxshutdown.Event) { panic("on purpose") },
			"Goexit": func(fxshutdown.Event) { runtime.Goexit() },
		} {
			t.Run(name, func(t *testing.T) {
				inModes(t, allModes, func(t *testing.T, m mode) {
					g := newGate()
					defer g.open()
					s := start(t, m, g.ServeHTTP, config(func(c *fxshutdown.Config) { c.Logger = logger }))
					got := s.goGet(s.client(), "/slow")
					g.waitEntered(t, 1)
					done := s.stopIn(patience)
					g.open()
					receive(t, "the client", got).want(t, "hello")
					began := time.Now()
					if err := receive(t, "Stop()", done); err != nil {
						t.Errorf("Stop() = %v, want nil", err)
					}
					if d := time.Since(began); d > 2*slack {
						t.Errorf("Stop() waited %v for the logger", d)
					}
					s.wantReport(account{answered: 1})
				})
			})
		}
		close(release)
	})
}

type loggerFunc func(fxshutdown.Event)

func (f loggerFunc) LogEvent(e fxshutdown.Event) { f(e) }

// A logger that panics misses the event alone at which it did.
func TestLoggerPanicsOnce(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	s := start(t, h1, hello, config(func(c *fxshutdown.Config) {
		c.Logger = loggerFunc(func(e fxshutdown.Event) {
			mu.Lock()
			seen = append(seen, fmt.Sprintf("%T", e))
			mu.Unlock()
			if _, ok := e.(*fxshutdown.Stopping); ok {
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
}

// TestHostileClients is about clients that would hold the stop. Times are exact.
func TestHostileClients(t *testing.T) {
	// A TLS peer that reads nothing: neither its close_notify nor that of its
	// neighbours is waited for one by one.
	t.Run("TLSReadsNothing/Idle", func(t *testing.T) {
		bubbles(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			l := newPipeListener()
			l.pipe = net.Pipe // It has no buffers: who does not read blocks each write.
			s := start(t, m, hello, on(l))
			for range 3 {
				tc := tls.Client(s.socket(), &tls.Config{RootCAs: rootCAs, ServerName: "localhost", MaxVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
				if err := tc.Handshake(); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			s.mustStopIn(0, bound)
			s.wantReport(account{})
		})
	})
	t.Run("TLSReadsNothing/Cut", func(t *testing.T) {
		bubbles(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				for {
					if _, err := io.WriteString(w, strings.Repeat("x", flowSize)); err != nil {
						return
					}
				}
			}, onPipe)
			for range 3 {
				resp, err := s.client().Get(s.url("/endless"))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
			}
			time.Sleep(time.Minute)
			d, err := s.timeStop(10 * time.Second)
			took(t, "Stop()", d, 8500*ms, 9*time.Second)
			var aborted *fxshutdown.AbortedError
			if !errors.As(err, &aborted) || len(aborted.Requests) != 3 {
				t.Errorf("Stop() = %v, want three aborted", err)
			}
			s.wantReport(account{aborted: 3})
		})
	})
	t.Run("TLSReadsNothing/Close", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				for {
					if _, err := io.WriteString(w, strings.Repeat("x", flowSize)); err != nil {
						return
					}
				}
			}, onPipe)
			for range 3 {
				resp, err := s.client().Get(s.url("/endless"))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
			}
			time.Sleep(time.Minute)
			began := time.Now()
			if err := s.Close(); !errors.Is(err, fxshutdown.ErrForced) {
				t.Errorf("Close() = %v, want ErrForced", err)
			}
			took(t, "Close()", time.Since(began), 0, 100*ms)
			s.wantReport(account{aborted: 3})
		})
	})

	t.Run("StalledHandshake", func(t *testing.T) {
		for name, hello := range map[string]string{"Nothing": "", "HalfHello": "\x16\x03\x01\x02\x00\x01"} {
			t.Run(name, func(t *testing.T) {
				bubbles(t, []mode{https1, h2}, func(t *testing.T, m mode) {
					s := start(t, m, playground, onPipe)
					for range 50 {
						io.WriteString(s.socket(), hello)
					}
					c := s.client()
					s.get(c, "/").want(t, "GET / false")
					time.Sleep(100 * ms)
					s.mustStopIn(0, bound)
					if r := s.wantReport(account{}); r.Connections != 51 {
						t.Errorf("Report().Connections = %d, want 51", r.Connections)
					}
				})
			})
		}
	})

	// One byte of the handshake now and then.
	t.Run("DrippingHandshake", func(t *testing.T) {
		bubbles(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			s := start(t, m, playground, onPipe)
			c := newRawConn(t, s.socket())
			c.send("\x16\x03\x01\x40\x00")
			c.drip("\x01", 50*ms)
			time.Sleep(time.Second)
			s.mustStopIn(0, bound)
		})
	})

	// One byte of HTTP/2's preface now and then.
	t.Run("DrippingPreface", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.socket()
			if m.tls {
				c = tls.Client(c, &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"h2"}})
			}
			rest := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("x", 1000))
			drip(t, 200*ms, func() error {
				_, err := c.Write(rest[:1])
				rest = rest[1:]
				return err
			})
			time.Sleep(300 * ms)
			s.mustStopIn(0, bound)
		})
	})

	// A handshake that is finished in time is served.
	t.Run("LateHandshake", func(t *testing.T) {
		bubbles(t, []mode{https1}, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			socket := s.socket()
			synctest.Wait()
			got := make(chan reply, 1)
			time.AfterFunc(grace-10*ms, func() {
				c := newRawConn(t, tls.Client(socket, &tls.Config{RootCAs: rootCAs, ServerName: "localhost"}))
				c.get("/")
				got <- c.reply(http.MethodGet)
			})
			s.mustStopIn(grace-10*ms, bound)
			r := <-got
			r.want(t, "hello")
			r.wantClose(t, true)
			s.wantReport(account{answered: 1})
		})
	})

	// A client that never reads its response is aborted at the end of the
	// budget, though its handler returned or not.
	t.Run("NeverReads", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, strings.Repeat("x", 100*flowSize))
			}, onPipe)
			resp, err := s.client().Get(s.url("/download"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			time.Sleep(time.Minute)
			d, err := s.timeStop(10 * time.Second)
			took(t, "Stop()", d, 8500*ms, 9*time.Second)
			wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/download")
			s.wantReport(account{aborted: 1})
		})
	})

	// A client that closes its sending half still gets its response, and one
	// that is gone does not hold the stop.
	// An idle HTTP/2 client that does not read what its PINGs are answered with.
	t.Run("DeafHTTP2", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.rawH2()
			// More answers than a pipe holds, and fewer than net/http puts up with.
			for range flowSize/17 + 1000 {
				if err := c.write(frame{kind: framePing, payload: make([]byte, 8)}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			s.mustStopIn(0, bound)
		})
	})
	// One that reads the end of its HTTP/2 responses late gets it: net/http calls the
	// connection idle before all is written.
	t.Run("LateReaderHTTP2", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 1000)) }, onPipe)
			// fill sends requests, and reads no response, until one is not answered.
			fill := func(c *h2Conn, most int) (answered int) {
				c.write(frame{kind: frameWindowUpdate, payload: []byte{1 << 6, 0, 0, 0}})
				for answered < most {
					idle := s.states.count(http.StateIdle)
					c.get(uint32(2*answered+1), "/")
					synctest.Wait()
					if s.states.count(http.StateIdle) == idle {
						return answered
					}
					answered++
				}
				return answered
			}
			first := s.rawH2()
			n := fill(first, 1000)
			first.Close()
			synctest.Wait()
			c := s.rawH2()
			if got := fill(c, n); got != n { // the last of these is answered, and not written
				t.Fatalf("the second connection took %d requests, the first %d", got, n)
			}
			done := s.stopIn(time.Hour)
			time.Sleep(10 * time.Second)
			ended := 0
			for _, f := range c.untilClosed() {
				if f.ended() {
					ended++
				}
			}
			if err := <-done; err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if ended != n {
				t.Errorf("got the ends of %d responses, want all %d", ended, n)
			}
		})
	})
	t.Run("HalfClosed", func(t *testing.T) {
		entered := make(chan struct{})
		s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-fxshutdown.Draining(r.Context())
			hello(w, r)
		})
		c := s.raw()
		c.get("/")
		c.Conn.(*net.TCPConn).CloseWrite()
		receive(t, "the handler", entered)
		s.mustStop()
		c.reply(http.MethodGet).want(t, "hello")
		s.wantReport(account{answered: 1})
	})
	t.Run("Gone", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			entered := make(chan struct{})
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				<-r.Context().Done()
				time.Sleep(100 * ms)
			}, onPipe)
			ctx, cancel := context.WithCancel(context.Background())
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url("/"), nil)
			gone := make(chan error, 1)
			c := s.client()
			go func() { _, err := c.Do(req); gone <- err }()
			<-entered
			cancel()
			<-gone
			c.CloseIdleConnections()
			synctest.Wait()
			s.mustStopIn(0, bound)
		})
	})

	// An upload that stalls is a request that runs: it has the time of the stop.
	// One that has its answer, and does not send the rest of its request, or a byte now
	// and then.
	for name, tt := range map[string]struct {
		goOn func(*rawConn)
		most time.Duration
	}{
		"StalledUploadAnswered":  {func(*rawConn) {}, 500 * ms},
		"DrippingUploadAnswered": {func(c *rawConn) { c.drip("x", 100*ms) }, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubbles(t, h1Modes, func(t *testing.T, m mode) {
				s := start(t, m, hello, onPipe)
				c := s.raw()
				done := s.stopIn(time.Hour)
				c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nsome")
				c.reply(http.MethodPost).want(t, "hello")
				tt.goOn(c)
				began := time.Now()
				if err := <-done; err != nil {
					t.Errorf("Stop() = %v, want nil: the request was answered", err)
				}
				took(t, "Stop() after the response", time.Since(began), 0, tt.most)
				if r := s.wantReport(account{answered: 1}); r.Dropped != 0 {
					t.Errorf("Report() = %+v, want none dropped: it did not wait for a request", r)
				}
			})
		})
	}
	// One that has its answer and goes on sending is read on, since a reset might
	// destroy the answer before it is read.
	t.Run("SlowUploadAnswered", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.raw()
			done := s.stopIn(time.Hour)
			c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n")
			for range 5 {
				time.Sleep(300 * ms)
				c.send("0123456789")
			}
			c.reply(http.MethodPost).want(t, "hello")
			c.waitClosed()
			if err := <-done; err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})
	// The handler goes on reading the body while its response is written, to a client
	// that takes its time: what is read then is not the rest behind an answer.
	t.Run("ReadOnWhileAnswering", func(t *testing.T) {
		bubbles(t, []mode{h1}, func(t *testing.T, m mode) {
			l := newPipeListener()
			l.pipe = net.Pipe // without a buffer
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				go io.Copy(io.Discard, r.Body)
				time.Sleep(20 * ms)
				hello(w, r)
			}, on(l), idleGrace(2*time.Second))
			c := s.raw()
			done := s.stopIn(time.Hour)
			c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
			time.Sleep(100 * ms)
			c.send("xxx")
			time.Sleep(5 * time.Second)
			c.reply(http.MethodPost).want(t, "hello")
			c.Close()
			if err := <-done; err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})
	t.Run("StalledUpload", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				fmt.Fprint(w, err)
			}, onPipe)
			pr, pw := io.Pipe()
			defer pw.Close()
			c := s.client()
			got := make(chan reply, 1)
			go func() { got <- s.do(c, http.MethodPost, "/upload", pr) }()
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			d, err := s.timeStop(10 * time.Second)
			took(t, "Stop()", d, 8500*ms, 9*time.Second)
			var aborted *fxshutdown.AbortedError
			if !errors.As(err, &aborted) {
				t.Errorf("Stop() = %v, want an *AbortedError", err)
			}
			pw.CloseWithError(io.ErrUnexpectedEOF)
			<-got
			s.wantReport(account{aborted: 1})
		})
	})
}

// TestIdleClients measures on real sockets what TestTiming shows exactly.
func TestIdleClients(t *testing.T) {
	measure := func(t *testing.T, s *server, limit time.Duration) {
		t.Helper()
		d, err := s.timeStop(patience)
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 0, limit+2*slack)
		s.wantReport(account{})
	}
	t.Run("Silent", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			for range 50 {
				s.raw()
			}
			s.states.wait(t, http.StateNew, 50)
			measure(t, s, bound)
		})
	})
	t.Run("HalfHeader", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			for range 50 {
				s.raw().send("GET / HTTP/1.1\r\nHo")
			}
			s.states.wait(t, http.StateNew, 50)
			measure(t, s, bound)
		})
	})
	t.Run("HTTP2", func(t *testing.T) {
		inModes(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			for range 20 {
				s.get(s.client(), "/").want(t, "hello")
			}
			s.states.wait(t, http.StateIdle, 20)
			measure(t, s, 500*ms)
			if r := s.Report(); r.Dropped != 20 {
				t.Errorf("Report().Dropped = %d, want all 20", r.Dropped)
			}
		})
	})
	t.Run("HTTP2Raw", func(t *testing.T) {
		inModes(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			for range 20 {
				c := s.rawH2()
				c.get(1, "/")
				c.until(func(f frame) bool { return f.stream == 1 && f.ended() })
			}
			s.states.wait(t, http.StateIdle, 20)
			measure(t, s, bound)
		})
	})
	// A flood of new connections never lets the accept queue run empty.
	t.Run("Flood", func(t *testing.T) {
		s := start(t, h1, hello)
		at := s.Addr().String()
		over := make(chan struct{})
		var dialers sync.WaitGroup
		for range 8 {
			dialers.Go(func() {
				for !isClosed(over) {
					if c, err := net.Dial("tcp", at); err == nil {
						c.(*net.TCPConn).SetLinger(0) // Leaves no port in TIME_WAIT.
						c.Close()
					}
				}
			})
		}
		honest := s.goGet(s.client(), "/")
		receive(t, "an honest client", honest).want(t, "hello")
		d, err := s.timeStop(patience)
		close(over)
		dialers.Wait()
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 0, 2*time.Second+slack)
	})
}
