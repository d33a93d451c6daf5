package fxshutdown_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// forceScenarios are about stops that end by force.
var forceScenarios = []scenario{
	// http-shutdown: "forceShutdown": the stop waits for nothing.
	{"Forced", sockets, allModes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		entered := make(chan context.Context, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			entered <- r.Context()
			<-release
		})
		defer close(release)
		got := s.goGet(s.client(), "/slow")
		ctx := receive(t, "the handler", entered)
		err := s.Close()
		wantAborted(t, "Close()", err, fxshutdown.ErrForced, "/slow")
		receive(t, "the client", got).wantNone(t)
		receive(t, "the request's context", ctx.Done())
		if got := context.Cause(ctx); !errors.Is(got, fxshutdown.ErrForced) {
			t.Errorf("context.Cause() = %v, want ErrForced", got)
		}
		r := s.wantReport(account{aborted: 1})
		if r.Graceful() || !errors.Is(r.Forced, fxshutdown.ErrForced) || r.Trigger != "close" {
			t.Errorf("Report() = %+v, want it forced by close", r)
		}
		if !r.AbortedRequests[0].Running {
			t.Errorf("Report().AbortedRequests = %+v, want Running: the handler has not returned", r.AbortedRequests)
		}
		if got := s.Err(); !errors.Is(got, err) {
			t.Errorf("Err() = %v, want %v", got, err)
		}
	}},

	// http-terminator: "terminates hanging sockets after httpResponseTimeout".
	{"HangingSocketEndsAtTimeout", bubbles, allModes, func(t *testing.T, m mode) {
		s, _, got := startHeld(t, m, "/slow", onPipe)
		d, err := s.timeStop(time.Second)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/slow")
		took(t, "Stop()", d, 800*ms, 900*ms) // The reserve is a tenth.
		receive(t, "the client", got).wantNone(t)
		s.wantReport(account{aborted: 1})
	}},

	// stoppable: "with a 0.5 second grace", and the callback's gracefully flag.
	{"Grace", bubbles, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, onPipe, config(func(c *fxshutdown.Config) { c.DrainTimeout = 500 * ms }))
		quick, slow := s.client(), s.client()
		s.get(quick, "/quick").want(t, "hello")
		s.states.wait(t, http.StateIdle, 1)
		got := s.goGet(slow, "/slow")
		g.waitEntered(t, 1)
		d, err := s.timeStop(0)
		took(t, "Stop()", d, 400*ms, 500*ms)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/slow")
		receive(t, "the client", got).wantNone(t)
		if r := s.wantReport(account{aborted: 1}); r.Graceful() {
			t.Error("Report().Graceful() = true after an abort")
		}
	}},

	{"CloseDuringStop", sockets, allModes, func(t *testing.T, m mode) {
		s, _, got := startHeld(t, m, "/slow")
		done := s.stopIn(0)
		wantAborted(t, "Close()", s.Close(), fxshutdown.ErrForced, "/slow")
		wantAborted(t, "Stop()", receive(t, "Stop()", done), fxshutdown.ErrForced, "/slow")
		receive(t, "the client", got).wantNone(t)
		if r := s.wantReport(account{aborted: 1}); r.Trigger != "stop" {
			t.Errorf("Report().Trigger = %q, want stop, which came first", r.Trigger)
		}
	}},

	// A Stop whose context is over forces at once.
	{"StopWithExpiredContext", sockets, allModes, func(t *testing.T, m mode) {
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
		receive(t, "the client", got).wantNone(t)
		s.wantReport(account{aborted: 1})
	}},

	// A Stop whose context is cancelled, without having timed out, forces too.
	{"StopCancelled", sockets, allModes, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/slow")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- s.Stop(ctx) }()
		receive(t, "Draining()", s.Draining())
		pending(t, "Stop()", done)
		cancel()
		wantAborted(t, "Stop()", receive(t, "Stop()", done), fxshutdown.ErrForced, "/slow")
		s.wantReport(account{aborted: 1})
	}},

	// All callers of Stop get the error of the one stop.
	{"StopConcurrentlyError", bubbles, allModes, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/slow", onPipe)
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
	}},

	// A Stop that joins can make the stop end earlier; one with more time cannot
	// make it end later.
	{"StopJoinedWithShorterDeadline", bubbles, allModes, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/slow", onPipe)
		first := s.stopIn(0)
		second := s.stopIn(time.Hour)
		began := time.Now()
		third := s.stopIn(500 * ms)
		for _, done := range []<-chan error{first, second, third} {
			wantAborted(t, "Stop()", receive(t, "Stop()", done), fxshutdown.ErrBudget, "/slow")
		}
		took(t, "Stop()", time.Since(began), 0, 450*ms) // The reserve is a tenth.
		s.wantReport(account{aborted: 1})
	}},
}
