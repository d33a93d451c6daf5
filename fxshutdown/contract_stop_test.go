package fxshutdown_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// stopScenarios are about Stop itself: who calls it, how often, and what it reports.
var stopScenarios = []scenario{
	{"StopTwice", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		first := fmt.Sprintf("%+v", s.Report())
		s.mustStop()
		if err := s.Close(); err != nil {
			t.Errorf("Close() after Stop = %v, want nil", err)
		}
		if got := fmt.Sprintf("%+v", s.Report()); got != first {
			t.Errorf("Report() after a second Stop = %v, want %v", got, first)
		}
		if s.Err() != nil {
			t.Errorf("Err() = %v, want nil", s.Err())
		}
	}},

	{"StopConcurrently", together, allModes, func(t *testing.T, m mode) {
		s, g, got := startHeld(t, m, "/slow")
		const n = 10
		errs := make(chan error, n)
		for range n {
			go func() { errs <- s.stop() }()
		}
		receive(t, "Draining()", s.Draining())
		pending(t, "Stop()", errs)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		for range n {
			wantStopped(t, errs)
		}
		s.wantReport(account{answered: 1})
	}},

	// Close while the readiness delay runs does not wait for it.
	{"CloseDuringDelay", together, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, config(func(c *fxshutdown.Config) { c.ShutdownDelay = time.Hour }))
		s.get(s.client(), "/").want(t, "hello")
		s.states.wait(t, http.StateIdle, 1)
		done := make(chan error, 1)
		go func() { done <- s.Stop(context.Background()) }()
		event[*fxshutdown.StopBegan](s)
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v, want nil: no request ran", err)
		}
		wantStopped(t, done)
	}},

	// TestTwoServers stops one server while another starts and serves, with the
	// same handler.
	{"TwoServers", together, allModes, func(t *testing.T, m mode) {
		first, g, got := startHeld(t, m, "/slow")
		done := first.stopIn(patience)
		second := start(t, m, hello)
		second.get(second.client(), "/").want(t, "hello")
		if isClosed(second.Draining()) {
			t.Error("the stop of one server began the drain of another")
		}
		g.open()
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
		second.mustStop()
	}},

	{"Callbacks", together, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := newServer(t, m, g.ServeHTTP)
		called := make(chan bool, 10)
		s.http.RegisterOnShutdown(func() { called <- true })
		s.start()
		s.http.RegisterOnShutdown(func() { called <- true })
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		pending(t, "RegisterOnShutdown", called)
		done := s.stopIn(patience)
		receive(t, "RegisterOnShutdown", called)
		receive(t, "RegisterOnShutdown", called)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
		s.Close()
		pending(t, "RegisterOnShutdown", called)
	}},

	{"EventsInOrder", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		stopped := event[*fxshutdown.Stopped](s)
		want := "[Started StopBegan DrainBegan ListenerClosed Stopped]"
		if got := fmt.Sprint(s.events.names()); got != want {
			t.Errorf("events = %v, want %v", got, want)
		}
		if got, want := fmt.Sprintf("%+v", stopped.Report), fmt.Sprintf("%+v", s.Report()); got != want {
			t.Errorf("Stopped.Report = %v, want Report() = %v", got, want)
		}
		var phases []string
		for _, p := range s.Report().Phases {
			phases = append(phases, string(p.Name))
		}
		if got, want := fmt.Sprint(phases), "[announce listener drain]"; got != want {
			t.Errorf("Report().Phases = %v, want %v", got, want)
		}
	}},

	// Stop in a hook of a connection waits for that hook, but not forever.
	{"StopFromConnState/Idle", bubbles, h1Modes, stopFromConnState(http.StateIdle)},
	{"StopFromConnState/Closed", bubbles, h1Modes, stopFromConnState(http.StateClosed)},
}

// stopFromConnState returns a scenario that stops the server in its ConnState hook.
func stopFromConnState(state http.ConnState) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		var s *server
		stopped := make(chan error, 1)
		s = start(t, m, hello, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ConnState = func(_ net.Conn, st http.ConnState) {
				if st == state && !isClosed(s.Draining()) {
					stopped <- s.Stop(context.Background())
				}
			}
		})
		c := s.client()
		s.get(c, "/").want(t, "hello")
		c.CloseIdleConnections()
		began := time.Now()
		if err := <-stopped; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", time.Since(began), 0, 3*time.Second)
	}
}
