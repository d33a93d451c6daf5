package fxshutdown_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// progressScenarios are about what can be seen of a stop from outside while it runs.
var progressScenarios = []scenario{
	{"Phases", bubbles, h1Modes, func(t *testing.T, m mode) {
		began := time.Now()
		g := newGate()
		defer g.open()
		socket := make(chan struct{}, 1)
		hijacking := hijack(t, socket, func(c net.Conn, _ *http.Request) {
			defer c.Close()
			io.Copy(io.Discard, c)
		})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/socket" {
				hijacking(w, r)
				return
			}
			g.ServeHTTP(w, r)
		}, onPipe, config(func(c *fxshutdown.Config) {
			c.ShutdownDelay, c.DrainTimeout, c.StopReserve = 2*time.Second, 3*time.Second, time.Second
		}))
		c := s.raw()
		c.get("/socket")
		<-socket
		c.discard()
		time.Sleep(time.Second)
		s.goGet(s.client(), "/slow")
		synctest.Wait()
		if p := s.Progress(); !reflect.DeepEqual(p, fxshutdown.Progress{}) || !s.IsReady() {
			t.Errorf("before the stop Progress() = %+v, IsReady() = %t, want zero, true", p, s.IsReady())
		}

		done := make(chan error, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		go func() { done <- s.Stop(ctx) }()
		want := func(phase fxshutdown.PhaseName, forceAt, endAt time.Duration) {
			t.Helper()
			synctest.Wait()
			p := s.Progress()
			if s.IsReady() || p.Phase != phase || p.ForceAt.Sub(began) != forceAt || p.EndAt.Sub(began) != endAt {
				t.Errorf("IsReady() = %t, Progress() = %q, force %v, end %v, want false, %q, %v, %v",
					s.IsReady(), p.Phase, p.ForceAt.Sub(began), p.EndAt.Sub(began), phase, forceAt, endAt)
			}
			if rs := p.WaitsFor; len(rs) != 2 || rs[0].Path != "/socket" || rs[1].Path != "/slow" {
				t.Errorf("Progress() waits for %v, want /socket and /slow", rs)
			}
		}
		want(fxshutdown.PhaseDelay, 29500*ms, 30*time.Second)
		time.Sleep(3 * time.Second)
		want(fxshutdown.PhaseDrain, 5700*ms, 6*time.Second) // DrainTimeout counts from the end of the delay
		time.Sleep(1800 * ms)
		want(fxshutdown.PhaseForce, 5700*ms, 6*time.Second)
		<-done
		if p := s.Progress(); !reflect.DeepEqual(p, fxshutdown.Progress{}) {
			t.Errorf("after the stop Progress() = %+v, want zero", p)
		}
	}},

	{"NoLimit", bubbles, allModes, func(t *testing.T, m mode) {
		s, g, _ := startHeld(t, m, "/slow", onPipe)
		done := s.stopIn(0)
		time.Sleep(time.Second)
		p := s.Progress()
		if p.Phase != fxshutdown.PhaseDrain || !p.ForceAt.IsZero() || !p.EndAt.IsZero() || len(p.WaitsFor) != 1 {
			t.Errorf("Progress() = %+v, want the drain, without a limit, and what it waits for", p)
		}
		g.open()
		wantStopped(t, done)
	}},

	{"Unstarted", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := newServer(t, m, hello, onPipe)
		if s.IsReady() {
			t.Error("IsReady() = true before Start")
		}
		s.mustStop()
		if p := s.Progress(); !reflect.DeepEqual(p, fxshutdown.Progress{}) {
			t.Errorf("Progress() = %+v, want zero", p)
		}
	}},

	// The cause of a connection's end is counted when it closes, and not again later.
	{"WhatClosed", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 2)
		release := make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/socket":
				hijack(t, entered, func(c net.Conn, _ *http.Request) {
					defer c.Close()
					io.Copy(io.Discard, c)
				})(w, r)
			case "/stuck":
				entered <- struct{}{}
				<-release
			default:
				hello(w, r)
			}
		}, onPipe)
		left := s.raw() // goes on its own
		left.get("/")
		left.reply(http.MethodGet)
		left.Close()
		idle := s.raw() // is dropped
		idle.get("/")
		idle.reply(http.MethodGet)
		for _, path := range []string{"/socket", "/stuck"} { // are cut
			c := s.raw()
			c.get(path)
			<-entered
			c.discard()
		}
		want := func(when string, closed, dropped, cut uint64) {
			t.Helper()
			synctest.Wait()
			if st := s.Stats(); st.Closed != closed || st.IdleClosed != dropped || st.Cut != cut {
				t.Errorf("%s: Stats() = %+v, want %d closed, %d of them dropped, %d cut", when, st, closed, dropped, cut)
			}
		}
		want("before the stop", 1, 0, 0)
		done := s.stopIn(10 * time.Second)
		time.Sleep(time.Second)
		want("in the drain", 2, 1, 0)
		if err := <-done; err == nil {
			t.Error("Stop() = nil, want an error")
		}
		want("after the stop", 4, 1, 2)
		close(release)
		want("when all handlers have returned", 4, 1, 2)
	}},
}
