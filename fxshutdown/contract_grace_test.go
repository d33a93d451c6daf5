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

// graceScenarios are about RequestGrace and HijackGrace, and about long drains.
var graceScenarios = []scenario{
	// Requests that run for RequestGrace are told by their contexts, and their
	// answers arrive.
	{"RequestGrace", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// If many requests are cancelled, the log shows the oldest.
	{"OldestFirst", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// A request that RequestGrace cancelled is not reported as cancelled again by the
	// force phase.
	{"CancelledOnce", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// The stop waits for a request that ignores RequestGrace.
	{"RequestGraceIgnored", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// Hijacked connections are closed after HijackGrace; that is not an error.
	{"HijackGrace", bubbles, h1Modes, func(t *testing.T, m mode) {
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
		// Our side is closed then, and the rest a moment later. The request
		// itself had ended with its hijack, before the stop.
		s.mustStopIn(time.Second, time.Second+100*ms)
		r := s.wantReport(account{cut: 1})
		if r.Graceful() || r.HijackedClosedRequests[0].Path != "/socket" || r.HijackedClosedRequests[0].Method != http.MethodGet {
			t.Errorf("Report() = %+v, want GET /socket cut, not graceful", r)
		}
		if e := event[*fxshutdown.HijackedClosed](s); !errors.Is(e.Reason, fxshutdown.ErrHijackGrace) || e.Request.Path != "/socket" {
			t.Errorf("HijackedClosed = %+v, want /socket by ErrHijackGrace", e)
		}
	}},

	// The stop waits for a hijacked connection that ends on its own within HijackGrace,
	// and no longer.
	{"HijackEnds", bubbles, h1Modes, func(t *testing.T, m mode) {
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
		if r := s.Report(); !r.Graceful() || len(r.HijackedClosedRequests) != 0 {
			t.Errorf("Report() = %+v, want graceful, nothing cut", r)
		}
	}},

	// A drain that takes long reports what it waits for, less and less often.
	{"StillDraining", bubbles, allModes, func(t *testing.T, m mode) {
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
				if want := 57500*ms - e.Waited; e.Left.Round(ms) != want.Round(ms) { // the reserve is 2 s, the force phase 0.5 s
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
	}},
}
