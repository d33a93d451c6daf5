package fxshutdown_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// delayScenarios are about ShutdownDelay.
var delayScenarios = []scenario{
	{"NothingChangesMeanwhile", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(200*ms))
		c := s.client()
		s.get(c, "/").want(t, "hello")
		if isClosed(s.Unready()) {
			t.Error("Unready() is closed before the stop")
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
			if !isClosed(s.Unready()) {
				t.Error("Unready() is open during the delay")
			}
			if got := readiness(s.Server); got != http.StatusServiceUnavailable {
				t.Errorf("ReadyHandler() during the delay = %d, want 503", got)
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
		if e := event[*fxshutdown.StopBegan](s); e.ShutdownDelay != 200*ms || e.SkipReason != "" {
			t.Errorf("StopBegan = %+v, want a delay of 200ms, not skipped", e)
		}
	}},

	{"SkippedWithoutConnection", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute))
		s.mustStopIn(0, atOnce)
		wantSkipped(t, s, fxshutdown.SkipUnused)
	}},

	// Settings that do not fit are said before anybody has connected: a test shows them.
	{"SkippedWithoutConnectionOrRoom", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute))
		if _, err := s.timeStop(10 * time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		wantSkipped(t, s, fxshutdown.SkipTooLong)
	}},

	{"SkippedWithoutRoom", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute))
		s.get(s.client(), "/").want(t, "hello")
		time.Sleep(time.Second)
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 0, 500*ms)
		wantSkipped(t, s, fxshutdown.SkipTooLong)
	}},

	// A server that accepted a connection waits, even if the connection is closed by now.
	{"NotSkippedAfterConnection", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(200*ms))
		c := s.client()
		s.get(c, "/").want(t, "hello")
		c.CloseIdleConnections()
		time.Sleep(time.Minute)
		s.mustStopIn(200*ms, 200*ms+atOnce)
	}},

	{"EndsWithContext", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute))
		s.get(s.client(), "/").want(t, "hello")
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*ms, cancel)
		began := time.Now()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("Stop() = %v, want nil: no request ran", err)
		}
		took(t, "Stop()", time.Since(began), 100*ms, 100*ms+atOnce)
	}},

	// A Stop that joins with little time ends the delay of the first.
	{"EndsWithJoinedStop", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Hour))
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
	}},

	// SetUnready, called before a stop that is known to come, makes readiness fail and
	// changes nothing else.
	{"CountsFromSetUnready", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Hour))
		c := s.client()
		s.get(c, "/").want(t, "hello")
		for range 10 {
			go s.SetUnready("a\ntest")
		}
		synctest.Wait()
		if got := readiness(s.Server); got != http.StatusServiceUnavailable {
			t.Errorf("ReadyHandler() = %d, want 503", got)
		}
		if !isClosed(s.Unready()) || isClosed(s.Draining()) || s.Report().Trigger != "" {
			t.Error("want Unready() closed, and no stop")
		}
		for _, c := range []*http.Client{c, s.client()} {
			r := s.get(c, "/")
			r.want(t, "hello")
			r.wantClose(t, false)
		}
		time.Sleep(time.Hour - 200*ms)
		s.SetUnready("again")
		s.mustStopIn(200*ms, 200*ms+bound)
		s.SetUnready("too late")

		if r := s.Report(); r.Phases[0] != (fxshutdown.Phase{Name: "delay", Duration: 200 * ms}) {
			t.Errorf("Report().Phases = %v, want a delay of 200ms first", r.Phases)
		}
		if e := event[*fxshutdown.StopBegan](s); e.ShutdownDelay != time.Hour || e.UnreadyFor != time.Hour-200*ms || e.SkipReason != "" {
			t.Errorf("StopBegan = %+v, want it unready for all but 200ms of the delay", e)
		}
		if e := event[*fxshutdown.Unready](s); e.Reason != `a\ntest` {
			t.Errorf("Unready.Reason = %q, want the first, escaped", e.Reason)
		}
		if got := s.events.names()[:3]; !slices.Equal(got, []string{"Started", "Unready", "StopBegan"}) {
			t.Errorf("events = %q, want Unready once, before StopBegan", got)
		}
	}},

	{"ElapsedSinceSetUnready", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(200*ms))
		s.get(s.client(), "/").want(t, "hello")
		s.SetUnready("test")
		time.Sleep(time.Second)
		s.mustStopIn(0, bound)
		wantSkipped(t, s, fxshutdown.SkipElapsed)
	}},

	// What is left of the delay since SetUnready fits.
	{"RoomSinceSetUnready", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute))
		s.get(s.client(), "/").want(t, "hello")
		s.SetUnready("test")
		time.Sleep(58 * time.Second)
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 2*time.Second, 2*time.Second+bound)
	}},

	// A Stop that joins leaves enough time for the rest of the delay, too.
	{"JoinedSinceSetUnready", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute))
		s.get(s.client(), "/").want(t, "hello")
		s.SetUnready("test")
		time.Sleep(58 * time.Second)
		done := make(chan error, 1)
		go func() { done <- s.Stop(context.Background()) }()
		time.Sleep(time.Second)
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "the joined Stop()", d, time.Second, time.Second+atOnce)
		<-done
	}},

	{"UnreadySinceStop", sockets, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		s.mustStop()
		if e := event[*fxshutdown.StopBegan](s); e.UnreadyFor != 0 {
			t.Errorf("StopBegan = %+v, want that it was not unready before", e)
		}
	}},

	{"SetUnreadyDuringDelay", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Second))
		s.get(s.client(), "/").want(t, "hello")
		time.AfterFunc(500*ms, func() { s.SetUnready("test") })
		s.mustStopIn(time.Second, time.Second+atOnce)
		if e := event[*fxshutdown.StopBegan](s); e.UnreadyFor != 0 {
			t.Errorf("StopBegan = %+v, want that the stop made it unready", e)
		}
	}},
}

// delay is a setting.
func delay(d time.Duration) setting {
	return config(func(c *fxshutdown.Config) { c.ShutdownDelay = d })
}

// wantSkipped checks that there was no delay, and that the log says why.
func wantSkipped(t *testing.T, s *server, reason fxshutdown.SkipReason) {
	t.Helper()
	if e := event[*fxshutdown.StopBegan](s); e.ShutdownDelay == 0 || e.SkipReason != reason {
		t.Errorf("StopBegan = %+v, want the delay, skipped since %s", e, reason)
	}
	if r := s.Report(); len(r.Phases) > 0 && r.Phases[0].Name == "delay" {
		t.Errorf("Report().Phases = %v, want no delay", r.Phases)
	}
}
