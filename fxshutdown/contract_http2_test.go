package fxshutdown_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// http2Scenarios are about HTTP/2 connections and how long they hold the stop.
var http2Scenarios = []scenario{
	// The handler of a stream that was reset outlives its connection, and the stop waits
	// for it.
	{"HandlerOutlivesConnection", bubbles, h2Modes, func(t *testing.T, m mode) {
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
	}},

	// A given server with which golang.org/x/net/http2 has registered.
	{"ConfigureServer", together, h2Modes, func(t *testing.T, m mode) {
		s, g, got := startHeld(t, m, "/slow", func(srv *http.Server, _ *fxshutdown.Config) {
			srv.Serve(externalHTTP2{})
		})
		done := s.stopIn(patience)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},

	// The client of a connection that has been idle for long is told, and is gone when it
	// has read that.
	{"Idle", bubbles, h2Modes, idleIsTold(time.Minute, 0)},

	// One that was used just before is told after IdleGrace, however short that is: the end
	// of its last response was written, so the next write is GOAWAY, and holds nothing up.
	{"ShortIdleGrace", bubbles, h2Modes, idleIsTold(ms, 4*ms, idleGrace(5*ms))},

	// If it stays, it is closed soon after, and not only when GOAWAY is likely to be there.
	{"ShortIdleGraceStays", bubbles, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, idleGrace(5*ms))
		c := s.rawH2()
		c.getWhole(1, "/")
		go c.untilClosed()
		time.Sleep(ms)
		s.mustStopIn(109*ms, 129*ms)
	}},

	// The pings of an idle client buy no time.
	{"Pings", bubbles, h2Modes, func(t *testing.T, m mode) {
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
	}},

	// A request on an HTTP/2 connection that was used less than IdleGrace ago is
	// answered, and its client told to go then.
	{"RequestInTime", bubbles, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.rawH2()
		c.getWhole(1, "/")
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
	}},

	// An HTTP/2 connection has been quiet for long, and its client does not close when it
	// is told to go.
	{"Quiet", bubbles, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		fresh, used := s.rawH2(), s.rawH2()
		used.get(1, "/")
		used.until(func(f frame) bool { return f.stream == 1 && f.ended() })
		time.Sleep(time.Minute)
		go fresh.untilClosed()
		go used.untilClosed()
		s.mustStopIn(0, 500*ms)
		s.wantReport(account{})
	}},

	// An idle HTTP/2 client that does not read what its PINGs are answered with, whether
	// it has ever sent a request or not.
	{"Deaf", bubbles, h2Modes, isDeaf(func(*h2Conn) {})},
	{"DeafAfterRequest", bubbles, h2Modes, isDeaf(func(c *h2Conn) { c.getWhole(1, "/") })},

	// One that sends on when it has been told to go, and our side is closed, is read on
	// for a while: a reset might destroy GOAWAY.
	{"SendsOn", bubbles, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.rawH2()
		c.getWhole(1, "/")
		time.Sleep(time.Minute)
		go c.untilClosed()
		began := time.Now()
		done := s.stopIn(time.Hour)
		for c.write(frame{kind: framePing, payload: make([]byte, 8)}) == nil {
			time.Sleep(10 * ms)
		}
		took(t, "what the client sent", time.Since(began), 500*ms, 530*ms)
		wantStopped(t, done)
		s.wantReport(account{})
	}},

	// A client that reads the ends of its HTTP/2 responses late gets them: net/http calls
	// the connection idle before everything is written.
	{"LateReader", bubbles, h2Modes, func(t *testing.T, m mode) {
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
	}},
}

// idleIsTold stops a server that has one connection, idle for a while, whose client closes
// it when it has read GOAWAY.
func idleIsTold(idle, after time.Duration, settings ...setting) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		s := start(t, m, hello, append(settings, onPipe)...)
		c := s.rawH2()
		c.getWhole(1, "/")
		go func() {
			c.until(func(f frame) bool { return f.kind == frameGoAway })
			time.Sleep(10 * ms) // by then our side is closed too
			c.Close()
		}()
		time.Sleep(idle)
		s.mustStopIn(after, after+20*ms)
	}
}

// externalHTTP2 is the listener by which golang.org/x/net/http2's ConfigureServer registers
// with a server since Go 1.27. To an older Go it is one that is closed.
type externalHTTP2 struct{ net.Listener }

func (externalHTTP2) Accept() (net.Conn, error)     { return nil, net.ErrClosed }
func (externalHTTP2) Close() error                  { return nil }
func (externalHTTP2) HTTP2Config() http.HTTP2Config { return http.HTTP2Config{} }
func (externalHTTP2) IdleTimeout() time.Duration    { return 0 }
func (externalHTTP2) ServeConnFunc(func(context.Context, net.Conn, http.Handler, bool, *http.Request, []byte)) {
}

// isDeaf stops a server whose client does something first, and then reads no more.
func isDeaf(first func(*h2Conn)) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.rawH2()
		first(c)
		c.fillWithPings()
		time.Sleep(time.Minute)
		s.mustStopIn(0, bound)
	}
}
