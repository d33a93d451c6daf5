package fxshutdown_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// shutdownScenarios call Shutdown and Close on the http.Server that was given to New:
// they do what net/http documents.
var shutdownScenarios = []scenario{
	{"ShutdownWaits", together, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := newServer(t, m, g.ServeHTTP)
		called := make(chan bool, 10)
		s.http.RegisterOnShutdown(func() { called <- true })
		s.start()
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		done := make(chan error, 1)
		go func() { done <- s.http.Shutdown(context.Background()) }()
		receive(t, "RegisterOnShutdown", called)
		receive(t, "Draining()", s.Draining())
		pending(t, "Shutdown()", done)
		g.open()
		r := receive(t, "the client", got)
		r.want(t, "hello")
		r.wantClose(t, !m.h2)
		if err := receive(t, "Shutdown()", done); err != nil {
			t.Errorf("Shutdown() = %v, want nil", err)
		}
		receive(t, "Done()", s.Done())
		s.mustStop()
		if s.Err() != nil {
			t.Errorf("Err() = %v, want nil", s.Err())
		}
		pending(t, "RegisterOnShutdown", called)
		if r := s.wantReport(account{answered: 1}); r.Trigger != "http.Server" {
			t.Errorf("Report().Trigger = %q, want http.Server", r.Trigger)
		}
	}},

	// "If the provided context expires before the shutdown is complete, Shutdown returns
	// the context's error": that interrupts nothing.
	{"ShutdownContext", together, allModes, func(t *testing.T, m mode) {
		s, g, got := startHeld(t, m, "/slow")
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := s.http.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown() = %v, want context.DeadlineExceeded", err)
		}
		if took := time.Since(began); took > slack+50*time.Millisecond {
			t.Errorf("Shutdown() with 50ms took %v", took)
		}
		if n := s.Stats().InFlight; n != 1 {
			t.Errorf("Stats().InFlight = %d after Shutdown's context ended, want 1", n)
		}
		done := make(chan error, 1)
		go func() { done <- s.Stop(context.Background()) }()
		g.open()
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},

	{"Close", together, allModes, func(t *testing.T, m mode) {
		entered, release := make(chan context.Context, 1), make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			entered <- r.Context()
			<-release
		})
		defer close(release)
		got := s.goGet(s.client(), "/slow")
		ctx := receive(t, "the handler", entered)
		if err := s.http.Close(); err != nil {
			t.Errorf("http.Server.Close() = %v, want nil", err)
		}
		receive(t, "the client", got).wantNone(t)
		receive(t, "the request's context", ctx.Done())
		receive(t, "Done()", s.Done())
		wantAborted(t, "Stop()", s.stop(), fxshutdown.ErrForced, "/slow")
		if r := s.wantReport(account{aborted: 1}); r.Trigger != "http.Server" {
			t.Errorf("Report().Trigger = %q, want http.Server", r.Trigger)
		}
	}},

	{"ConcurrentlyWithStop", together, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := newServer(t, m, g.ServeHTTP)
		called := make(chan bool, 100)
		s.http.RegisterOnShutdown(func() { called <- true })
		s.start()
		got := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		const n = 10
		errs := make(chan error, 2*n)
		for range n {
			go func() { errs <- s.http.Shutdown(context.Background()) }()
			go func() { errs <- s.Stop(context.Background()) }()
		}
		receive(t, "RegisterOnShutdown", called)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		for range 2 * n {
			if err := receive(t, "Shutdown() or Stop()", errs); err != nil {
				t.Errorf("Shutdown() or Stop() = %v, want nil", err)
			}
		}
		// Each Shutdown runs the callbacks, as that of a bare http.Server does; all Stops
		// together run them once.
		if got := 1 + len(called); got > n+1 {
			t.Errorf("the callback of RegisterOnShutdown ran %d times, want at most %d", got, n+1)
		}
		s.wantReport(account{answered: 1})
	}},

	{"ShutdownAfterStop", together, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		s.mustStop()
		if err := s.http.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown() after Stop = %v, want nil", err)
		}
		if err := s.http.Close(); err != nil {
			t.Errorf("http.Server.Close() after Stop = %v, want nil", err)
		}
	}},

	// A bare http.Server that was shut down serves no more.
	{"ShutdownBeforeStart", together, []mode{h1}, func(t *testing.T, m mode) {
		s := newServer(t, m, hello)
		if err := s.http.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown() = %v, want nil", err)
		}
		err := s.Start(context.Background())
		if !errors.Is(err, fxshutdown.ErrStopped) && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Start() after Shutdown = %v, want ErrStopped", err)
		}
		s.mustStop()
	}},

	{"CloseBeforeStart", together, []mode{h1}, func(t *testing.T, m mode) {
		s := newServer(t, m, hello)
		if err := s.http.Close(); err != nil {
			t.Errorf("http.Server.Close() = %v, want nil", err)
		}
		err := s.Start(context.Background())
		if !errors.Is(err, fxshutdown.ErrStopped) && !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Start() after Close = %v, want ErrStopped", err)
		}
		s.mustStop()
	}},

	// A Shutdown from a handler, with the handler's own request running.
	{"FromHandler", together, allModes, func(t *testing.T, m mode) {
		done := make(chan error, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			srv := r.Context().Value(http.ServerContextKey).(*http.Server)
			go func() { done <- srv.Shutdown(context.Background()) }()
			<-fxshutdown.Draining(r.Context())
			hello(w, r)
		})
		s.get(s.client(), "/").want(t, "hello")
		if err := receive(t, "Shutdown()", done); err != nil {
			t.Errorf("Shutdown() = %v, want nil", err)
		}
		s.wantReport(account{answered: 1})
	}},
}
