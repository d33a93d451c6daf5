package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// budgetScenarios are about what Stop makes of the time it is given.
var budgetScenarios = []scenario{
	// A handler that answers in the force window is not an error.
	{"AnswerInForceWindow", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	// An IdleGrace that does not fit the budget does not break it.
	{"LittleTime", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},

	{"Expired", bubbles, allModes, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/stuck", onPipe)
		time.Sleep(time.Second)
		ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
		defer cancel()
		began := time.Now()
		wantAborted(t, "Stop()", s.Stop(ctx), fxshutdown.ErrStopping, "/stuck")
		took(t, "Stop()", time.Since(began), 0, atOnce)
		s.wantReport(account{aborted: 1})
	}},

	// A Stop that joins brings its own reserve and window.
	{"Joined", bubbles, allModes, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/stuck", onPipe)
		done := s.stopIn(0)
		time.Sleep(time.Minute)
		d, err := s.timeStop(time.Second)
		took(t, "the joined Stop()", d, 810*ms, 900*ms)
		wantAborted(t, "the joined Stop()", err, fxshutdown.ErrBudget, "/stuck")
		wantAborted(t, "Stop()", <-done, fxshutdown.ErrBudget, "/stuck")
	}},

	// Without a deadline and a DrainTimeout, a stop takes as long as it needs.
	{"NoDeadline", bubbles, allModes, func(t *testing.T, m mode) {
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
	}},
}

// TestTimingBudget looks at when requests are cancelled and cut. The handler is
// stuck: it ignores its context.
func TestTimingBudget(t *testing.T) {
	for _, test := range []struct {
		timeout, reserve, drainTimeout, delay time.Duration
		cancelled, cut                        time.Duration // since Stop was called
	}{
		// The reserve is a tenth, at most 2 s; the force window is a tenth of the rest,
		// at most 500 ms.
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
						t.Errorf("age of the aborted request = %v, want %v less at most half of the window of %v", r.Age, want, window)
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
				if e := event[*fxshutdown.StopBegan](s); e.Timeout != test.timeout || e.ShutdownDelay != test.delay {
					t.Errorf("StopBegan = %+v, want Timeout %v, ShutdownDelay %v", e, test.timeout, test.delay)
				}
			})
		})
	}
}

// Durations that mean "forever" must not overflow into "at once".
func TestHugeDurations(t *testing.T) {
	const huge = time.Duration(math.MaxInt64)
	for name, set := range map[string]func(*fxshutdown.Config){
		"DrainTimeout": func(c *fxshutdown.Config) { c.DrainTimeout = huge },
		"RequestGrace": func(c *fxshutdown.Config) { c.RequestGrace = huge },
		"HijackGrace":  func(c *fxshutdown.Config) { c.HijackGrace = huge },
		"StopReserve":  func(c *fxshutdown.Config) { c.StopReserve = huge },
		"Context":      func(*fxshutdown.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(time.Hour):
						hello(w, r)
					case <-r.Context().Done():
						t.Errorf("the request was cancelled: %v", context.Cause(r.Context()))
					}
				}, onPipe, config(set))
				time.Sleep(3 * time.Second)
				got := s.goGet(s.client(), "/")
				s.states.wait(t, http.StateActive, 1)
				ctx, cancel := context.WithTimeout(context.Background(), huge)
				defer cancel()
				if err := s.Stop(ctx); err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
				(<-got).want(t, "hello")
			})
		})
	}
}
