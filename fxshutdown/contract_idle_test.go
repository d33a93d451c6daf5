package fxshutdown_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// idleScenarios are about how long a connection that waits for a request holds the
// stop, to the millisecond.
var idleScenarios = []scenario{
	{"NoConnections", bubbles, allModes, func(t *testing.T, m mode) {
		start(t, m, hello, onPipe).mustStopIn(0, atOnce)
	}},

	// A connection that was quiet for IdleGrace before the stop goes at once.
	{"QuietForLong", bubbles, h1Modes, func(t *testing.T, m mode) {
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
		if r := s.wantReport(account{}); r.IdleClosed != 2 {
			t.Errorf("Report().IdleClosed = %d, want 2", r.IdleClosed)
		}
	}},

	// A connection that was active recently goes when it has been quiet for IdleGrace.
	{"ActiveRecently/0s", bubbles, h1Modes, activeRecently(0)},
	{"ActiveRecently/100ms", bubbles, h1Modes, activeRecently(100 * ms)},
	{"ActiveRecently/249ms", bubbles, h1Modes, activeRecently(249 * ms)},

	// A connection that never sent a byte counts as waiting since it was accepted, one
	// over TLS since its handshake. The deadline that net/http changes after the
	// handshake, if it has any, shows its end.
	{"NewRecently", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ReadHeaderTimeout = time.Hour
		})
		c := s.raw()
		c.discard()
		synctest.Wait()
		time.Sleep(100 * ms)
		s.mustStopIn(grace-100*ms, grace-100*ms+ms)
	}},

	// A stop of many takes no longer than that of one.
	{"ManyIdle", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// Half a header, sent before the stop or during it, is not a request that can be
	// lost, and holds the stop for a bounded time.
	{"HalfHeader", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		old, second, late := s.raw(), s.raw(), s.raw()
		old.send("GET / HTTP/1.1\r\nHo")
		second.get("/")
		second.reply(http.MethodGet).want(t, "hello")
		second.send("GET / HTTP/1.1\r\nHo")
		time.Sleep(time.Minute - 100*ms)
		s.get(s.client(), "/").want(t, "hello") // An honest client beside them.
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
	}},

	// A byte now and then buys no time.
	{"DrippingBytes", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		for _, every := range []time.Duration{ms, 50 * ms, 240 * ms, grace} {
			c := s.raw()
			c.send("GET / HTTP/1.1\r\nX: ")
			c.drip("x", every)
		}
		time.Sleep(time.Second)
		s.mustStopIn(0, bound)
		s.wantReport(account{})
	}},

	// The empty lines that net/http skips before a request buy no time either.
	{"EmptyLines", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.raw()
		c.get("/")
		c.reply(http.MethodGet).want(t, "hello")
		c.drip("\r\n", 100*ms)
		s.mustStopIn(0, bound)
	}},

	// A request that arrives just before IdleGrace is over is answered with close, and
	// the stop waits for it.
	{"RequestInTime", bubbles, h1Modes, func(t *testing.T, m mode) {
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
	}},

	// A request whose header comes in parts, all in time, is answered.
	{"RequestInParts", bubbles, h1Modes, func(t *testing.T, m mode) {
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
	}},

	// Stop returns at the moment at which the last response is complete.
	{"LastResponse", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// A negative IdleGrace means none.
	{"NoIdleGrace", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, idleGrace(-1))
		c := s.raw()
		c.get("/")
		c.reply(http.MethodGet).want(t, "hello")
		c.discard()
		s.mustStopIn(0, atOnce)
	}},
}

// activeRecently returns a scenario with a connection that was quiet for a while when
// the stop began.
func activeRecently(quiet time.Duration) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.raw()
		c.get("/")
		c.reply(http.MethodGet).want(t, "hello")
		time.Sleep(quiet)
		c.discard()
		s.mustStopIn(grace-quiet, max(grace-quiet+ms, atOnce))
	}
}
