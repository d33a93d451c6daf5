package fxshutdown_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// endHijackedScenarios are about connections that are hijacked under EndOnDrain.
var endHijackedScenarios = []scenario{
	// A handler that looks at its context closes the connection itself, at once.
	{"Closes", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, endOnDrain(func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			<-r.Context().Done()
			c.Close()
		}), onPipe)
		c := s.raw()
		c.get("/socket")
		s.states.wait(t, http.StateHijacked, 1)
		time.Sleep(time.Second)
		go c.waitClosed()
		s.mustStopIn(0, atOnce)
		if r := s.wantReport(account{}); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
	}},

	// A handler that does not look loses its connection.
	{"Stays", bubbles, h1Modes, losesIt(0, 500*ms, fxshutdown.ErrDraining, false)},
	{"Leaks", bubbles, h1Modes, losesIt(0, 500*ms, fxshutdown.ErrDraining, true)},
	{"LongHijackGrace", bubbles, h1Modes, losesIt(5*time.Second, 500*ms, fxshutdown.ErrDraining, false)},
	{"ShortHijackGrace", bubbles, h1Modes, losesIt(100*ms, 100*ms, fxshutdown.ErrHijackGrace, false)},

	// A connection that is hijacked late has the same time, from its request on.
	{"Late", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, endOnDrain(staysHijacked), onPipe, idleGrace(time.Second))
		c := s.raw()
		done := s.stopIn(0)
		time.Sleep(400 * ms)
		c.get("/socket")
		go c.waitClosed()
		began := time.Now()
		wantStopped(t, done)
		took(t, "Stop()", time.Since(began), 500*ms, 600*ms+atOnce)
		s.wantReport(account{hijacked: 1, cut: 1})
	}},

	// The stop waits for a hijacked connection beside it that EndOnDrain does not serve.
	{"Beside", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			time.Sleep(4 * time.Second)
			c.Close()
		}, onPipe)
		c := s.raw()
		c.get("/socket")
		s.states.wait(t, http.StateHijacked, 1)
		go c.waitClosed()
		s.mustStopIn(4*time.Second, 4*time.Second+atOnce)
		s.wantReport(account{})
	}},
}

// staysHijacked reads until its connection is taken from it.
func staysHijacked(w http.ResponseWriter, r *http.Request) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		defer c.Close()
		io.Copy(io.Discard, c)
	}
}

// losesIt returns a scenario with a hijacked connection that the stop closes after the
// given time, for the given reason.
func losesIt(hijackGrace, after time.Duration, reason error, returns bool) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		s := start(t, m, endOnDrain(func(w http.ResponseWriter, r *http.Request) {
			if returns {
				http.NewResponseController(w).Hijack()
				return
			}
			staysHijacked(w, r)
		}), onPipe, config(func(c *fxshutdown.Config) { c.HijackGrace = hijackGrace }))
		c := s.raw()
		c.get("/socket")
		s.states.wait(t, http.StateHijacked, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		go c.waitClosed()
		s.mustStopIn(after, after+100*ms+atOnce)
		r := s.wantReport(account{cut: 1})
		if !r.HijackedClosedRequests[0].Stream || r.HijackedClosedRequests[0].Path != "/socket" {
			t.Errorf("Report().HijackedClosedRequests = %+v, want the stream /socket", r.HijackedClosedRequests)
		}
		if e := event[*fxshutdown.HijackedClosed](s); !errors.Is(e.Reason, reason) {
			t.Errorf("HijackedClosed.Reason = %v, want %v", e.Reason, reason)
		}
	}
}
