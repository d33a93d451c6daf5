package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestDraining is about the channel for handlers.
// derivedKey is a key of a context that a handler derives from its own.
type derivedKey struct{}

func TestDraining(t *testing.T) {
	t.Run("ForeignContext", func(t *testing.T) {
		if got := fxshutdown.Draining(context.Background()); got != nil {
			t.Errorf("Draining(Background) = %v, want nil", got)
		}
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, &http.Server{}))
		defer cancel()
		if got := fxshutdown.Draining(ctx); got != nil {
			t.Errorf("Draining(another server's context) = %v, want nil", got)
		}
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := startBare(t, m, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, fxshutdown.Draining(r.Context()) == nil)
			})
			s.get(s.client(), "/").want(t, "true")
		})
	})

	t.Run("DerivedContext", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			entered := make(chan struct{})
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), derivedKey{}, "v"), time.Hour)
				defer cancel()
				draining := fxshutdown.Draining(ctx)
				pending(t, "Draining(ctx)", draining)
				close(entered)
				receive(t, "Draining(ctx)", draining)
				fmt.Fprint(w, ctx.Err())
			})
			got := s.goGet(s.client(), "/")
			receive(t, "the handler", entered)
			s.mustStop()
			receive(t, "the client", got).want(t, "<nil>")
			s.wantReport(account{answered: 1})
		})
	})

	// One that begins during the drain sees it closed already.
	t.Run("LateRequest", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, isClosed(fxshutdown.Draining(r.Context())))
			}, idleGrace(patience))
			c := s.raw()
			done := s.stopIn(0)
			c.get("/")
			c.reply(http.MethodGet).want(t, "true")
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})
}

// TestStreams is about responses that do not end by themselves.
func TestStreams(t *testing.T) {
	const event1 = "data: 1\n\n"

	t.Run("EndsWhenDraining", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			const n = 5
			entered := make(chan struct{}, n)
			s := start(t, m, sse(entered, func(r *http.Request) { <-fxshutdown.Draining(r.Context()) }))
			var replies []<-chan reply
			for range n {
				replies = append(replies, s.goGet(s.client(), "/events"))
				receive(t, "the handler", entered)
			}
			s.mustStop()
			for _, r := range replies {
				receive(t, "the client", r).want(t, event1)
			}
			if r := s.wantReport(account{answered: n}); !r.Graceful() {
				t.Errorf("Report() = %+v, want graceful", r)
			}
		})
	})

	// A stream that was told and does not end is cut and reported, and is no error.
	t.Run("ToldAndStays", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, sse(entered, func(r *http.Request) {
				fxshutdown.Draining(r.Context())
				<-r.Context().Done()
				time.Sleep(5 * time.Second)
			}), onPipe)
			got := s.goGet(s.client(), "/events")
			<-entered
			d, err := s.timeStop(10 * time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil: a stream is no error", err)
			}
			took(t, "Stop()", d, 8500*ms, 9*time.Second)
			if r := <-got; r.err == nil {
				t.Errorf("the stream ended with %q and no error, want it cut off", r.body)
			}
			r := s.wantReport(account{aborted: 1})
			if r.Graceful() || !r.Aborted[0].Stream || !errors.Is(r.Forced, fxshutdown.ErrBudget) {
				t.Errorf("Report() = %+v, want a stream cut by ErrBudget", r)
			}
			if s.Err() != nil {
				t.Errorf("Err() = %v, want nil", s.Err())
			}
			event[*fxshutdown.RequestAborted](s)
		})
	})

	// A stream that ends when its context does is answered, in the force window.
	t.Run("EndsWithContext", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, sse(entered, func(r *http.Request) { <-r.Context().Done() }), onPipe)
			got := s.goGet(s.client(), "/events")
			<-entered
			d, err := s.timeStop(10 * time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			// The response could not say close, so an HTTP/1 client may send a request more.
			took(t, "Stop()", d, 8500*ms, 9*time.Second)
			(<-got).want(t, event1)
			s.wantReport(account{answered: 1, cancelled: 1})
		})
	})

	// Who asked but sent nothing, or sent but did not ask, is a request.
	t.Run("AskedOnly", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				fxshutdown.Draining(r.Context())
				entered <- struct{}{}
				time.Sleep(5 * time.Second)
			}, onPipe)
			s.goGet(s.client(), "/poll")
			<-entered
			_, err := s.timeStop(time.Second)
			wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/poll")
		})
	})
	t.Run("SentOnly", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, sse(entered, func(r *http.Request) { time.Sleep(5 * time.Second) }), onPipe)
			s.goGet(s.client(), "/report")
			<-entered
			_, err := s.timeStop(time.Second)
			wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/report")
		})
	})

	// On HTTP/2 the request that asked is a stream, and not the others of its
	// connection; with a context that has a cancel of its own they all are.
	t.Run("OthersBeside", func(t *testing.T) {
		type name string
		for name, derive := range map[string]func(context.Context) context.Context{
			"Own":   func(ctx context.Context) context.Context { return ctx },
			"Value": func(ctx context.Context) context.Context { return context.WithValue(ctx, name("k"), "v") },
		} {
			t.Run(name, func(t *testing.T) {
				bubbles(t, h2Modes, func(t *testing.T, m mode) {
					entered := make(chan struct{}, 2)
					s := start(t, m, sse(entered, func(r *http.Request) {
						if r.URL.Path == "/events" {
							fxshutdown.Draining(derive(r.Context()))
						}
						time.Sleep(5 * time.Second)
					}), onPipe)
					c := s.client()
					for _, path := range []string{"/events", "/download"} {
						s.goGet(c, path)
						<-entered
					}
					_, err := s.timeStop(time.Second)
					wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/download")
					s.wantReport(account{aborted: 2})
				})
			})
		}
		t.Run("Cancel", func(t *testing.T) {
			bubbles(t, h2Modes, func(t *testing.T, m mode) {
				entered := make(chan struct{}, 1)
				s := start(t, m, sse(entered, func(r *http.Request) {
					ctx, cancel := context.WithCancel(r.Context())
					defer cancel()
					fxshutdown.Draining(ctx)
					time.Sleep(5 * time.Second)
				}), onPipe)
				s.goGet(s.client(), "/events")
				<-entered
				if _, err := s.timeStop(time.Second); err != nil {
					t.Errorf("Stop() = %v, want nil: it is a stream", err)
				}
				s.wantReport(account{aborted: 1})
			})
		})
	})

	// A request that was answered long ago is answered, though a stream that is cut
	// keeps its HTTP/2 connection active.
	t.Run("AnsweredBeside", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			events := sse(entered, func(r *http.Request) {
				fxshutdown.Draining(r.Context())
				time.Sleep(5 * time.Second)
			})
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/quick" {
					hello(w, r)
					return
				}
				events(w, r)
			}, onPipe)
			c := s.client()
			s.goGet(c, "/events")
			<-entered
			s.get(c, "/quick").want(t, "hello")
			time.Sleep(time.Second)
			if _, err := s.timeStop(time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil: only a stream was cut", err)
			}
			s.wantReport(account{aborted: 1})
		})
	})

	// HTTP/2 streams beside one that ends are not disturbed by it.
	t.Run("ManyStreams", func(t *testing.T) {
		inModes(t, h2Modes, func(t *testing.T, m mode) {
			const n = 64
			entered := make(chan struct{}, n)
			s := start(t, m, sse(entered, func(r *http.Request) { <-fxshutdown.Draining(r.Context()) }))
			c := s.client()
			var replies []<-chan reply
			for range n {
				replies = append(replies, s.goGet(c, "/events"))
			}
			for range n {
				receive(t, "the handler", entered)
			}
			s.mustStop()
			for _, r := range replies {
				receive(t, "the client", r).want(t, event1)
			}
			s.wantReport(account{answered: n})
		})
	})
}

// TestHijacked is about connections that handlers took over.
func TestHijacked(t *testing.T) {
	// serve hijacks, and serves the connection as told.
	serve := func(t *testing.T, entered chan<- struct{}, with func(net.Conn, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			rw.Flush()
			entered <- struct{}{}
			with(c, r)
		}
	}

	// WebSockets say goodbye when Draining tells them to.
	t.Run("EndsWhenDraining", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, serve(t, entered, func(c net.Conn, r *http.Request) {
				defer c.Close()
				<-fxshutdown.Draining(r.Context())
				io.WriteString(c, "goodbye")
			}))
			c := s.raw()
			c.get("/socket")
			receive(t, "the handler", entered)
			s.mustStop()
			if b, _ := io.ReadAll(c.br); !strings.HasSuffix(string(b), "\r\n\r\ngoodbye") {
				t.Errorf("connection got %q, want goodbye", b)
			}
			if r := s.Report(); !r.Graceful() || len(r.Cut) != 0 {
				t.Errorf("Report() = %+v, want graceful", r)
			}
		})
	})

	// Without a grace they are cut at the end, named, and no error.
	t.Run("CutAtTheEnd", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 3)
			s := start(t, m, serve(t, entered, func(c net.Conn, r *http.Request) {
				defer c.Close()
				io.Copy(io.Discard, c)
			}), onPipe)
			for i := range 3 {
				c := s.raw()
				c.get(fmt.Sprintf("/socket/%d?secret", i))
				<-entered
				c.discard()
			}
			d, err := s.timeStop(10 * time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil: hijacked connections are no error", err)
			}
			took(t, "Stop()", d, 8500*ms, 9*time.Second)
			r := s.Report()
			if len(r.Cut) != 3 || len(r.Aborted) != 0 || r.Graceful() {
				t.Errorf("Report() = %+v, want three cut, none aborted", r)
			}
			if got := fmt.Sprint(r.Cut); strings.Contains(got, "secret") || !strings.Contains(got, "/socket/1") {
				t.Errorf("Report().Cut = %v, want the paths without query", r.Cut)
			}
			if e := event[*fxshutdown.HijackedClosed](s); !errors.Is(e.Reason, fxshutdown.ErrBudget) {
				t.Errorf("HijackedClosed = %+v, want ErrBudget", e)
			}
		})
	})

	// A handler that hijacks and leaks its connection is found out.
	t.Run("Leaked", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			var leaked net.Conn
			s := start(t, m, serve(t, entered, func(c net.Conn, r *http.Request) { leaked = c }), onPipe)
			c := s.raw()
			c.get("/leak")
			<-entered
			c.discard()
			synctest.Wait()
			if st := s.Stats(); st.Hijacked != 1 || st.InFlight != 0 {
				t.Errorf("Stats() = %+v, want one hijacked, none in flight", st)
			}
			if _, err := s.timeStop(time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if r := s.Report(); len(r.Cut) != 1 || r.Cut[0].Path != "/leak" {
				t.Errorf("Report().Cut = %v, want /leak", r.Cut)
			}
			if _, err := leaked.Write([]byte("x")); err == nil {
				t.Error("Write() on a connection that was cut = nil, want an error")
			}
			if err := leaked.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("Close() of a connection that was cut = %v", err)
			}
		})
	})

	// Closing twice counts once.
	t.Run("ClosedTwice", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, serve(t, entered, func(c net.Conn, r *http.Request) { c.Close(); c.Close() }))
			s.raw().wire("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			eventually(t, "Stats() shows no connection", func() bool { return s.Stats().Open() == 0 })
			if st := s.Stats(); st.Accepted != 1 || st.Closed != 1 {
				t.Errorf("Stats() = %+v, want 1 accepted and closed", st)
			}
		})
	})

	// A handler that hijacks during the drain is counted as such.
	t.Run("DuringDrain", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			entered, hijacked := make(chan struct{}), make(chan struct{}, 1)
			hijack := serve(t, hijacked, func(c net.Conn, r *http.Request) { c.Close() })
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				<-fxshutdown.Draining(r.Context())
				hijack(w, r)
			})
			c := s.raw()
			c.get("/late")
			receive(t, "the handler", entered)
			s.mustStop()
			s.wantReport(account{hijacked: 1})
		})
	})

	t.Run("Force", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			entered := make(chan struct{}, 1)
			s := start(t, m, serve(t, entered, func(c net.Conn, r *http.Request) {
				defer c.Close()
				io.Copy(io.Discard, c)
			}))
			c := s.raw()
			c.get("/socket")
			receive(t, "the handler", entered)
			if err := s.Close(); err != nil {
				t.Errorf("Close() = %v, want nil: hijacked connections are no error", err)
			}
			io.Copy(io.Discard, c.br)
			if r := s.Report(); len(r.Cut) != 1 || r.Cut[0].Path != "/socket" {
				t.Errorf("Report().Cut = %v, want /socket", r.Cut)
			}
		})
	})

	// srv.Close of net/http leaves hijacked connections alone, srv.Shutdown
	// does not wait for them; this Server does both, as its document says.
	t.Run("ShutdownWaits", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			entered, leave := make(chan struct{}, 1), make(chan struct{})
			s := start(t, m, serve(t, entered, func(c net.Conn, r *http.Request) { <-leave; c.Close() }))
			c := s.raw()
			c.get("/socket")
			receive(t, "the handler", entered)
			done := s.stopIn(0)
			pending(t, "Stop()", done)
			if st := s.Stats(); st.Hijacked != 1 {
				t.Errorf("Stats() = %+v, want one hijacked", st)
			}
			close(leave)
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})
}

// TestConnect is about tunnels: hijacked over HTTP/1, a stream over HTTP/2.
func TestConnect(t *testing.T) {
	t.Run("HTTP1", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				c, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Errorf("Hijack() = %v", err)
					return
				}
				defer c.Close()
				rw.WriteString("HTTP/1.1 200 OK\r\n\r\n")
				rw.Flush()
				io.Copy(c, rw)
			})
			c := s.raw()
			c.send("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
			resp, err := http.ReadResponse(c.br, &http.Request{Method: http.MethodConnect})
			if err != nil {
				t.Fatal(err)
			}
			done := s.stopIn(0)
			c.send("ping")
			b := make([]byte, 4)
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "ping" {
				t.Errorf("tunnel during the drain: %q, %v; want ping", b, err)
			}
			pending(t, "Stop()", done)
			c.Close()
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})
	t.Run("HTTP2", func(t *testing.T) {
		inModes(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				w.(http.Flusher).Flush()
				b := make([]byte, 100)
				for {
					n, err := r.Body.Read(b)
					w.Write(b[:n])
					w.(http.Flusher).Flush()
					if err != nil {
						return
					}
				}
			})
			pr, pw := io.Pipe()
			req, err := http.NewRequest(http.MethodConnect, s.url(""), pr)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			done := s.stopIn(0)
			io.WriteString(pw, "ping")
			b := make([]byte, 4)
			if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "ping" {
				t.Errorf("tunnel during the drain: %q, %v; want ping", b, err)
			}
			pending(t, "Stop()", done)
			pw.Close()
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
				t.Errorf("the tunnel ended with %q, %v", rest, err)
			}
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})
}
