package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func TestTiming(t *testing.T) {
	t.Run("NoConnections", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			start(t, m, hello, onPipe).mustStopIn(0, atOnce)
		})
	})

	// A connection that was quiet for IdleGrace before the stop goes at once.
	t.Run("QuietForLong", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			idle, silent := s.raw(), s.raw()
			idle.get("/")
			idle.reply(http.MethodGet).want(t, "hello")
			closed := make(chan struct{}, 2)
			for _, c := range []*rawConn{idle, silent} {
				go func() { c.waitClosed(); closed <- struct{}{} }()
			}
			time.Sleep(time.Minute)
			s.mustStopIn(0, atOnce)
			<-closed
			<-closed
			if r := s.wantReport(account{}); r.Dropped != 2 {
				t.Errorf("Report().Dropped = %d, want 2", r.Dropped)
			}
		})
	})

	// One that was active recently goes when it has been quiet for IdleGrace.
	t.Run("ActiveRecently", func(t *testing.T) {
		for _, quiet := range []time.Duration{0, 100 * ms, 249 * ms} {
			t.Run(quiet.String(), func(t *testing.T) {
				bubbles(t, h1Modes, func(t *testing.T, m mode) {
					s := start(t, m, hello, onPipe)
					c := s.raw()
					c.get("/")
					c.reply(http.MethodGet).want(t, "hello")
					time.Sleep(quiet)
					c.discard()
					s.mustStopIn(grace-quiet, max(grace-quiet+ms, atOnce))
				})
			})
		}
	})

	// A connection that never sent a byte waits since it was accepted, one over
	// TLS since its handshake. That this is over shows by the deadline that
	// net/http changes then, if it has any.
	t.Run("NewRecently", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
				srv.ReadHeaderTimeout = time.Hour
			})
			c := s.raw()
			c.discard()
			synctest.Wait()
			time.Sleep(100 * ms)
			s.mustStopIn(grace-100*ms, grace-100*ms+ms)
		})
	})

	// A stop of many takes no longer than that of one.
	t.Run("ManyIdle", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			for range 100 {
				s.get(s.client(), "/").want(t, "hello")
			}
			time.Sleep(time.Minute)
			d, err := s.timeStop(0)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if m.h2 {
				took(t, "Stop()", d, 0, 500*ms)
			} else {
				took(t, "Stop()", d, 0, atOnce)
			}
		})
	})

	// Half a header, sent before the stop or during it, is no request that can
	// be lost, and bounded.
	t.Run("HalfHeader", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			old, second, late := s.raw(), s.raw(), s.raw()
			old.send("GET / HTTP/1.1\r\nHo")
			second.get("/")
			second.reply(http.MethodGet).want(t, "hello")
			second.send("GET / HTTP/1.1\r\nHo")
			time.Sleep(time.Minute - 100*ms)
			s.get(s.client(), "/").want(t, "hello") // A neighbour that is honest.
			late.get("/")
			late.reply(http.MethodGet).want(t, "hello")
			time.Sleep(100 * ms)
			go func() {
				time.Sleep(100 * ms)
				late.send("GET / HTTP/1.1\r\nHo")
				late.discard()
			}()
			old.discard()
			second.discard()
			s.mustStopIn(0, bound)
			s.wantReport(account{})
		})
	})

	// A byte now and then buys no time.
	t.Run("DrippingBytes", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			for _, every := range []time.Duration{ms, 50 * ms, 240 * ms, grace} {
				c := s.raw()
				c.send("GET / HTTP/1.1\r\nX: ")
				c.drip("x", every)
			}
			time.Sleep(time.Second)
			s.mustStopIn(0, bound)
			s.wantReport(account{})
		})
	})

	// So do the empty lines that net/http skips before a request.
	t.Run("EmptyLines", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.raw()
			c.get("/")
			c.reply(http.MethodGet).want(t, "hello")
			c.drip("\r\n", 100*ms)
			s.mustStopIn(0, bound)
		})
	})

	// A request that arrives just before IdleGrace is over is answered, is told
	// close, and is waited for.
	t.Run("RequestInTime", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(time.Second)
				}
				hello(w, r)
			}, onPipe)
			used, silent := s.raw(), s.raw()
			used.get("/")
			used.reply(http.MethodGet).want(t, "hello")
			synctest.Wait()
			replies := make(chan reply, 2)
			for _, c := range []*rawConn{used, silent} {
				go func() {
					time.Sleep(grace - ms)
					c.get("/slow")
					replies <- c.reply(http.MethodGet)
					c.waitClosed()
				}()
			}
			s.mustStopIn(grace-ms+time.Second, grace-ms+time.Second+ms)
			for range 2 {
				r := <-replies
				r.want(t, "hello")
				r.wantClose(t, true)
			}
			s.wantReport(account{answered: 2})
		})
	})

	// A request whose header comes in parts, all in time, is answered.
	t.Run("RequestInParts", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.raw()
			synctest.Wait()
			got := make(chan reply, 1)
			go func() {
				for _, part := range []string{"GET /", " HTTP/1.1\r", "\nHost: localhost\r\n", "\r\n"} {
					time.Sleep(60 * ms)
					c.send(part)
				}
				got <- c.reply(http.MethodGet)
				c.waitClosed()
			}()
			s.mustStopIn(240*ms, 241*ms)
			(<-got).want(t, "hello")
			s.wantReport(account{answered: 1})
		})
	})

	// Stop returns at the moment at which the last response is complete.
	t.Run("LastResponse", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(5 * time.Second)
				hello(w, r)
			}, onPipe)
			got := s.goGet(s.client(), "/")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			s.mustStopIn(5*time.Second, 5*time.Second+ms)
			(<-got).want(t, "hello")
			s.wantReport(account{answered: 1})
		})
	})

	// The handler of a stream that was reset outlives its connection, and is
	// waited for.
	t.Run("HandlerOutlivesConnection", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				time.Sleep(3 * time.Second)
			}, onPipe)
			c := s.rawH2()
			c.get(1, "/")
			go c.untilClosed()
			eventually(t, "the handler runs", func() bool { return s.Stats().InFlight == 1 })
			c.reset(1)
			synctest.Wait()
			c.Close()
			synctest.Wait()
			if st := s.Stats(); st.InFlight != 1 {
				t.Errorf("Stats() = %+v, want one in flight", st)
			}
			s.mustStopIn(3*time.Second-ms, 3*time.Second+ms)
		})
	})

	// Nor do the pings of an idle HTTP/2 client buy time.
	t.Run("Pings", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.rawH2()
			drip(t, 50*ms, func() error { return c.write(frame{framePing, 0, 0, make([]byte, 8)}) })
			gone := make(chan bool, 1)
			go func() {
				told := false
				for _, f := range c.untilClosed() {
					told = told || f.kind == frameGoAway
				}
				gone <- told
			}()
			time.Sleep(time.Minute)
			s.mustStopIn(0, bound)
			if told := <-gone; !told {
				t.Error("the client got no GOAWAY")
			}
		})
	})

	// A request on an HTTP/2 connection that was used less than IdleGrace ago is
	// answered, and its client told to go then.
	t.Run("RequestInTimeHTTP2", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			c := s.rawH2()
			c.get(1, "/")
			c.until(func(f frame) bool { return f.stream == 1 && f.ended() })
			synctest.Wait()
			frames := make(chan []frame, 1)
			go func() {
				time.Sleep(grace - ms)
				c.get(3, "/")
				frames <- c.untilClosed()
			}()
			s.mustStopIn(grace-ms, grace-ms+bound)
			answered, told := false, false
			for _, f := range <-frames {
				answered = answered || f.stream == 3 && f.ended() && f.kind != frameRSTStream
				told = told || f.kind == frameGoAway
			}
			if !answered || !told {
				t.Errorf("late request answered: %v, client told to go: %v; want both", answered, told)
			}
			s.wantReport(account{answered: 1})
		})
	})

	// An HTTP/2 connection that is quiet for long, of a client that does not
	// close when it is told to go.
	t.Run("QuietHTTP2", func(t *testing.T) {
		bubbles(t, h2Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			fresh, used := s.rawH2(), s.rawH2()
			used.get(1, "/")
			used.until(func(f frame) bool { return f.stream == 1 && f.ended() })
			time.Sleep(time.Minute)
			go fresh.untilClosed()
			go used.untilClosed()
			s.mustStopIn(0, 500*ms)
			s.wantReport(account{})
		})
	})

	// A negative IdleGrace means none.
	t.Run("NoIdleGrace", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe, idleGrace(-1))
			c := s.raw()
			c.get("/")
			c.reply(http.MethodGet).want(t, "hello")
			c.discard()
			s.mustStopIn(0, atOnce)
		})
	})
}

// TestTimingDelay is about ShutdownDelay.
func TestTimingDelay(t *testing.T) {
	delay := func(d time.Duration) setting {
		return config(func(c *fxshutdown.Config) { c.ShutdownDelay = d })
	}

	t.Run("NothingChangesMeanwhile", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe, delay(200*ms))
			c := s.client()
			s.get(c, "/").want(t, "hello")
			if isClosed(s.Stopping()) {
				t.Error("Stopping() is closed before the stop")
			}
			time.AfterFunc(100*ms, func() {
				for _, c := range []*http.Client{c, s.client()} {
					r := s.get(c, "/")
					r.want(t, "hello")
					r.wantClose(t, false)
				}
				if isClosed(s.Draining()) {
					t.Error("Draining() is closed during the delay")
				}
				if !isClosed(s.Stopping()) {
					t.Error("Stopping() is open during the delay")
				}
				if got := readiness(s.Server); got != http.StatusServiceUnavailable {
					t.Errorf("Ready() during the delay = %d, want 503", got)
				}
			})
			time.AfterFunc(199*ms, func() {
				if isClosed(s.Draining()) {
					t.Error("Draining() is closed during the delay")
				}
			})
			d, err := s.timeStop(time.Hour)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if m.h2 {
				took(t, "Stop()", d, 200*ms, 200*ms+bound)
			} else {
				// The last activity was 100ms into the delay.
				took(t, "Stop()", d, 100*ms+grace, 100*ms+grace+atOnce)
			}
			if r := s.Report(); len(r.Phases) == 0 || r.Phases[0] != (fxshutdown.Phase{Name: "delay", Duration: 200 * ms}) {
				t.Errorf("Report().Phases = %v, want a delay of 200ms first", r.Phases)
			}
			if e := event[*fxshutdown.Stopping](s); e.Delay != 200*ms || e.Skipped != "" {
				t.Errorf("Stopping = %+v, want a delay of 200ms, not skipped", e)
			}
		})
	})

	skipped := func(t *testing.T, s *server, noRoom bool) {
		t.Helper()
		if e := event[*fxshutdown.Stopping](s); e.Delay != 0 || e.Skipped == "" || e.NoRoom != noRoom {
			t.Errorf("Stopping = %+v, want no delay and why it is skipped, NoRoom: %v", e, noRoom)
		}
		if r := s.Report(); len(r.Phases) > 0 && r.Phases[0].Name == "delay" {
			t.Errorf("Report().Phases = %v, want no delay", r.Phases)
		}
	}

	t.Run("SkippedWithoutConnection", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe, delay(time.Minute))
			s.mustStopIn(0, atOnce)
			skipped(t, s, false)
		})
	})

	t.Run("SkippedWithoutRoom", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe, delay(time.Minute))
			s.get(s.client(), "/").want(t, "hello")
			time.Sleep(time.Second)
			d, err := s.timeStop(10 * time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			took(t, "Stop()", d, 0, 500*ms)
			skipped(t, s, true)
		})
	})

	// A server that accepted a connection waits, though it is closed by now.
	t.Run("NotSkippedAfterConnection", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe, delay(200*ms))
			c := s.client()
			s.get(c, "/").want(t, "hello")
			c.CloseIdleConnections()
			time.Sleep(time.Minute)
			s.mustStopIn(200*ms, 200*ms+atOnce)
		})
	})

	t.Run("EndsWithContext", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, h1, hello, onPipe, delay(time.Minute))
			s.get(s.client(), "/").want(t, "hello")
			time.Sleep(time.Second)
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(100*ms, cancel)
			began := time.Now()
			if err := s.Stop(ctx); err != nil {
				t.Errorf("Stop() = %v, want nil: no request ran", err)
			}
			took(t, "Stop()", time.Since(began), 100*ms, 100*ms+atOnce)
		})
	})

	// A Stop that joins with little time ends the delay of the first.
	t.Run("EndsWithJoinedStop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, h1, hello, onPipe, delay(time.Hour))
			s.get(s.client(), "/").want(t, "hello")
			done := make(chan error, 1)
			go func() { done <- s.Stop(context.Background()) }()
			time.Sleep(time.Second)
			d, err := s.timeStop(time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil: no request ran", err)
			}
			took(t, "the joined Stop()", d, 0, time.Second)
			if err := <-done; err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})
}

// TestTimingGrace is about RequestGrace and HijackGrace.
func TestTimingGrace(t *testing.T) {
	// Requests that run for RequestGrace are told by their contexts, and their
	// answers arrive.
	t.Run("RequestGrace", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			causes := make(chan error, 1)
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				causes <- context.Cause(r.Context())
				hello(w, r)
			}, onPipe, config(func(c *fxshutdown.Config) {
				c.RequestGrace = time.Second
				c.ShutdownDelay = 200 * ms
			}))
			got := s.goGet(s.client(), "/slow")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			s.mustStopIn(1200*ms, 1201*ms)
			(<-got).want(t, "hello")
			if cause := <-causes; !errors.Is(cause, fxshutdown.ErrRequestGrace) || !errors.Is(cause, fxshutdown.ErrStopping) {
				t.Errorf("context.Cause() = %v, want ErrRequestGrace", cause)
			}
			if e := event[*fxshutdown.RequestsCancelled](s); !errors.Is(e.Reason, fxshutdown.ErrRequestGrace) || len(e.Requests) != 1 {
				t.Errorf("RequestsCancelled = %+v, want one, by RequestGrace", e)
			}
			r := s.wantReport(account{answered: 1, cancelled: 1})
			if !r.Graceful() {
				t.Errorf("Report() = %+v, want graceful: nothing was cut", r)
			}
		})
	})

	// Of many that are cancelled the log shows the oldest.
	t.Run("OldestFirst", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				hello(w, r)
			}, onPipe, config(func(c *fxshutdown.Config) { c.RequestGrace = time.Second }))
			var replies []<-chan reply
			for i := range 3 {
				replies = append(replies, s.goGet(s.client(), fmt.Sprintf("/%d", i)))
				time.Sleep(ms)
			}
			s.mustStop()
			for _, got := range replies {
				(<-got).want(t, "hello")
			}
			var paths []string
			for _, r := range event[*fxshutdown.RequestsCancelled](s).Requests {
				paths = append(paths, r.Path)
			}
			if want := []string{"/0", "/1", "/2"}; !slices.Equal(paths, want) {
				t.Errorf("RequestsCancelled has %v, want %v", paths, want)
			}
		})
	})

	// A request that arrives after RequestGrace, on a connection that may still
	// send one, is cancelled too, and one that ignores it is waited for.
	// Who is cancelled by RequestGrace is not said to be cancelled again by the force.
	t.Run("CancelledOnce", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(http.ResponseWriter, *http.Request) { time.Sleep(6 * time.Second) }, onPipe,
				config(func(c *fxshutdown.Config) { c.RequestGrace = time.Second }))
			s.goGet(s.client(), "/stuck")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			_, err := s.timeStop(5 * time.Second)
			wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/stuck")
			cancels := 0
			for _, e := range s.events.names() {
				if e == "RequestsCancelled" {
					cancels++
				}
			}
			if cancels != 1 {
				t.Errorf("%d events RequestsCancelled, want one", cancels)
			}
		})
	})
	t.Run("RequestGraceIgnored", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(5 * time.Second)
				hello(w, r)
			}, onPipe, config(func(c *fxshutdown.Config) { c.RequestGrace = time.Second }))
			got := s.goGet(s.client(), "/slow")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			s.mustStopIn(5*time.Second, 5*time.Second+ms)
			(<-got).want(t, "hello")
			s.wantReport(account{answered: 1, cancelled: 1})
		})
	})

	// Hijacked connections are closed after HijackGrace; that is no error.
	t.Run("HijackGrace", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Errorf("Hijack() = %v", err)
					return
				}
				defer c.Close()
				io.Copy(io.Discard, c)
			}, onPipe, config(func(c *fxshutdown.Config) { c.HijackGrace = time.Second }))
			c := s.raw()
			c.get("/socket")
			s.states.wait(t, http.StateHijacked, 1)
			synctest.Wait()
			if st := s.Stats(); st.Hijacked != 1 || st.Open() != 1 || st.InFlight != 1 {
				t.Errorf("Stats() = %+v, want one hijacked and in flight", st)
			}
			go c.waitClosed()
			d, err := s.timeStop(time.Hour)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			// Our side is closed then, and the rest a moment later. The request
			// itself had ended with its hijack, before the stop.
			took(t, "Stop()", d, time.Second, time.Second+100*ms)
			r := s.wantReport(account{cut: 1})
			if r.Graceful() || r.Cut[0].Path != "/socket" || r.Cut[0].Method != http.MethodGet {
				t.Errorf("Report() = %+v, want GET /socket cut, not graceful", r)
			}
			if e := event[*fxshutdown.HijackedClosed](s); !errors.Is(e.Reason, fxshutdown.ErrHijackGrace) || e.Request.Path != "/socket" {
				t.Errorf("HijackedClosed = %+v, want /socket by ErrHijackGrace", e)
			}
		})
	})

	// One that ends by itself within its grace is waited for, no longer.
	t.Run("HijackEnds", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				c, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Errorf("Hijack() = %v", err)
					return
				}
				// The connection outlives its handler.
				go func() {
					<-fxshutdown.Draining(r.Context())
					time.Sleep(700 * ms)
					c.Close()
				}()
			}, onPipe, config(func(c *fxshutdown.Config) { c.HijackGrace = time.Second }))
			c := s.raw()
			c.get("/socket")
			s.states.wait(t, http.StateHijacked, 1)
			go c.waitClosed()
			synctest.Wait()
			if st := s.Stats(); st.Hijacked != 1 || st.InFlight != 0 {
				t.Errorf("Stats() = %+v, want one hijacked, none in flight", st)
			}
			s.mustStopIn(700*ms, 701*ms)
			if r := s.Report(); !r.Graceful() || len(r.Cut) != 0 {
				t.Errorf("Report() = %+v, want graceful, nothing cut", r)
			}
		})
	})
}

// A drain that takes long tells for what, less and less often.
func TestStillDraining(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 2)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			time.Sleep(11 * time.Second)
			hello(w, r)
		}, onPipe)
		first := s.goGet(s.client(), "/first?secret")
		<-entered
		time.Sleep(time.Second)
		second := s.goGet(s.client(), "/second")
		<-entered
		wantPaths := func(what string, rs []fxshutdown.Request, want ...string) {
			t.Helper()
			var got []string
			for _, r := range rs {
				if !r.Running {
					t.Errorf("%s: %v is not running", what, r)
				}
				got = append(got, r.Path)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s = %q, want %q", what, got, want)
			}
		}
		wantPaths("InFlight()", s.InFlight(), "/first", "/second")
		if d, err := s.timeStop(time.Minute); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		} else {
			took(t, "Stop()", d, 11*time.Second, 11*time.Second+atOnce)
		}
		(<-first).want(t, "hello")
		(<-second).want(t, "hello")
		wantPaths("InFlight() after the stop", s.InFlight())
		var waited []time.Duration
		for _, e := range s.events.all {
			if e, ok := e.(*fxshutdown.StillDraining); ok {
				waited = append(waited, e.Waited.Round(ms))
				wantPaths("StillDraining.Requests", e.Requests, "/first", "/second")
				if want := 57500*ms - e.Waited; e.Left.Round(ms) != want.Round(ms) { // the reserve is 2 s, the force 0.5 s
					t.Errorf("StillDraining.Left = %v, want %v", e.Left, want)
				}
				if e.Stats.InFlight != 2 {
					t.Errorf("StillDraining.Stats = %+v, want two in flight", e.Stats)
				}
			}
		}
		if want := []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second}; !slices.Equal(waited, want) {
			t.Errorf("StillDraining after %v, want %v", waited, want)
		}
	})
}

// TestTimingBudget is about what Stop makes of the time it is given. The
// handler is stuck: it ignores its context.
func TestTimingBudget(t *testing.T) {
	for _, test := range []struct {
		timeout, reserve, drainTimeout, delay time.Duration
		cancelled, cut                        time.Duration // since Stop was called
	}{
		// The reserve is a tenth, 2 s at most; the force window a tenth of the
		// rest, 500 ms at most.
		{timeout: time.Second, cancelled: 810 * ms, cut: 900 * ms},
		{timeout: 10 * time.Second, cancelled: 8500 * ms, cut: 9 * time.Second},
		{timeout: 15 * time.Second, cancelled: 13000 * ms, cut: 13500 * ms},
		{timeout: time.Minute, cancelled: 57500 * ms, cut: 58 * time.Second},

		{timeout: time.Second, reserve: -1, cancelled: 900 * ms, cut: time.Second},
		{timeout: time.Second, reserve: 300 * ms, cancelled: 630 * ms, cut: 700 * ms},
		// Half of the time stays with the drain.
		{timeout: time.Second, reserve: 900 * ms, cancelled: 450 * ms, cut: 500 * ms},
		{timeout: time.Second, reserve: time.Hour, cancelled: 450 * ms, cut: 500 * ms},

		{drainTimeout: 2 * time.Second, cancelled: 1800 * ms, cut: 2 * time.Second},
		{drainTimeout: 20 * time.Second, cancelled: 19500 * ms, cut: 20 * time.Second},
		{timeout: 10 * time.Second, drainTimeout: 2 * time.Second, cancelled: 1800 * ms, cut: 2 * time.Second},
		{timeout: 10 * time.Second, drainTimeout: time.Minute, cancelled: 8500 * ms, cut: 9 * time.Second},
		// DrainTimeout does not count the delay; the context does.
		{timeout: time.Minute, drainTimeout: 2 * time.Second, delay: time.Second, cancelled: 2800 * ms, cut: 3 * time.Second},
		{timeout: 10 * time.Second, delay: time.Second, cancelled: 8500 * ms, cut: 9 * time.Second},
	} {
		name := fmt.Sprintf("%v,reserve=%v,drain=%v,delay=%v", test.timeout, test.reserve, test.drainTimeout, test.delay)
		t.Run(name, func(t *testing.T) {
			bubbles(t, allModes, func(t *testing.T, m mode) {
				release, told := make(chan struct{}), make(chan time.Time, 1)
				defer close(release)
				var cause error
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					<-r.Context().Done()
					cause = context.Cause(r.Context())
					told <- time.Now()
					<-release
				}, onPipe, config(func(c *fxshutdown.Config) {
					c.StopReserve, c.DrainTimeout, c.ShutdownDelay = test.reserve, test.drainTimeout, test.delay
				}))
				s.goGet(s.client(), "/stuck")
				s.states.wait(t, http.StateActive, 1)
				synctest.Wait()
				time.Sleep(time.Second)
				began := time.Now()
				d, err := s.timeStop(test.timeout)
				// What is left is cut in the window, in time to be noticed before its end.
				window := test.cut - test.cancelled
				took(t, "Stop()", d, test.cut-window/2, test.cut)
				took(t, "cancelling the request", (<-told).Sub(began), test.cancelled, test.cancelled+ms)
				if !errors.Is(cause, fxshutdown.ErrBudget) {
					t.Errorf("context.Cause() = %v, want ErrBudget", cause)
				}
				wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/stuck")
				var aborted *fxshutdown.AbortedError
				if errors.As(err, &aborted) && len(aborted.Requests) == 1 {
					r := aborted.Requests[0]
					if want := time.Second + test.cut; r.Age < want-window/2 || r.Age > want {
						t.Errorf("age of the aborted request = %v, want %v less half of the window of %v at most", r.Age, want, window)
					}
					if want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[m.h2]; r.Proto != want || !r.Running {
						t.Errorf("aborted request = %+v, want %s, Running", r, want)
					}
				}
				r := s.wantReport(account{aborted: 1})
				if !errors.Is(r.Forced, fxshutdown.ErrBudget) || r.Duration != d {
					t.Errorf("Report(): Forced = %v, Duration = %v; want ErrBudget, %v", r.Forced, r.Duration, d)
				}
				var sum time.Duration
				for _, p := range r.Phases {
					sum += p.Duration
				}
				if sum > r.Duration || sum < r.Duration-atOnce {
					t.Errorf("Report().Phases = %v: together %v, want Duration %v", r.Phases, sum, r.Duration)
				}
				if e := event[*fxshutdown.Stopping](s); e.Left != test.timeout || e.Delay != test.delay {
					t.Errorf("Stopping = %+v, want Left %v, Delay %v", e, test.timeout, test.delay)
				}
			})
		})
	}

	// A handler that answers in the force window is no error.
	t.Run("AnswerInForceWindow", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				time.Sleep(50 * ms)
				hello(w, r)
			}, onPipe)
			got := s.goGet(s.client(), "/slow")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			d, err := s.timeStop(time.Second)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			took(t, "Stop()", d, 860*ms, 861*ms)
			(<-got).want(t, "hello")
			s.wantReport(account{answered: 1, cancelled: 1})
		})
	})

	// An idle grace that has no room in the budget does not break it.
	t.Run("LittleTime", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello, onPipe)
			for range 3 {
				s.get(s.client(), "/").want(t, "hello")
			}
			synctest.Wait() // net/http knows that the responses are written
			d, err := s.timeStop(100 * ms)
			if err != nil {
				t.Errorf("Stop() = %v, want nil: no request ran", err)
			}
			took(t, "Stop()", d, 0, 100*ms)
			s.wantReport(account{})
		})
	})

	t.Run("Expired", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP, onPipe)
			s.goGet(s.client(), "/stuck")
			g.waitEntered(t, 1)
			ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
			defer cancel()
			began := time.Now()
			wantExpired(t, s.Stop(ctx))
			took(t, "Stop()", time.Since(began), 0, atOnce)
			s.wantReport(account{aborted: 1})
		})
	})

	// A Stop that joins brings its own reserve and window.
	t.Run("Joined", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP, onPipe)
			s.goGet(s.client(), "/stuck")
			g.waitEntered(t, 1)
			done := s.stopIn(0)
			time.Sleep(time.Minute)
			d, err := s.timeStop(time.Second)
			took(t, "the joined Stop()", d, 810*ms, 900*ms)
			wantAborted(t, "the joined Stop()", err, fxshutdown.ErrBudget, "/stuck")
			wantAborted(t, "Stop()", <-done, fxshutdown.ErrBudget, "/stuck")
		})
	})

	// No deadline and no DrainTimeout: as long as it takes.
	t.Run("NoDeadline", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(24 * time.Hour)
				hello(w, r)
			}, onPipe)
			resp := make(chan error, 1)
			c := s.client()
			go func() {
				r, err := c.Get(s.url("/"))
				if err == nil {
					_, err = io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				resp <- err
			}()
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			d, err := s.timeStop(0)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			took(t, "Stop()", d, 24*time.Hour, 24*time.Hour+ms)
			if err := <-resp; err != nil {
				t.Errorf("the client: %v", err)
			}
		})
	})
}

// wantExpired checks the error of a Stop whose context was over: the document
// says that it forces, and the reason is that of the stop's time or of force.
func wantExpired(t *testing.T, err error) {
	t.Helper()
	wantAborted(t, "Stop()", err, fxshutdown.ErrStopping, "/stuck")
}
