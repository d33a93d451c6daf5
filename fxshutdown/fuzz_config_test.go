package fxshutdown_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// FuzzConfig checks that Validate judges every Config: if it accepts one, the server
// stops in bounded time with every kind of connection open; if it rejects one, the error
// names what is wrong.
func FuzzConfig(f *testing.F) {
	f.Add("", true, int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(time.Second))
	f.Add("tcp", true, int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(0))
	f.Add("udp", false, int64(0), int64(0), int64(1), int64(0), int64(1), int64(0), int64(-1))
	f.Add("", true, int64(1<<62), int64(1<<62), int64(-1<<63), int64(1<<63-1), int64(0), int64(1<<63-1), int64(1<<62))
	f.Add("", true, int64(time.Second), int64(ms), int64(2*ms), int64(3*ms), int64(time.Second), int64(time.Hour), int64(-1))
	f.Fuzz(func(t *testing.T, network string, listener bool, delay, idle, request, hijack, drain, reserve, budget int64) {
		cfg := fxshutdown.Config{
			Network:       network,
			ShutdownDelay: time.Duration(delay),
			IdleGrace:     time.Duration(idle),
			RequestGrace:  time.Duration(request),
			HijackGrace:   time.Duration(hijack),
			DrainTimeout:  time.Duration(drain),
			StopReserve:   time.Duration(reserve),
		}
		synctest.Test(t, func(t *testing.T) {
			ln := newPipeListener()
			if listener {
				cfg.Listener = ln
			}
			err := cfg.Validate()
			_, newErr := fxshutdown.New(new(http.Server), cfg)
			if (err == nil) != (newErr == nil) {
				t.Errorf("Validate() = %v, New() = %v", err, newErr)
			}
			wantNamed(t, cfg, err)
			if err == nil && listener {
				stopInTime(t, cfg, ln, time.Duration(budget))
			}
		})
	})
}

// wantNamed checks that what is wrong in cfg is named, and nothing else is.
func wantNamed(t *testing.T, cfg fxshutdown.Config, err error) {
	t.Helper()
	idle := max(cmp.Or(cfg.IdleGrace, fxshutdown.DefaultIdleGrace), 0)
	networks := []string{"", "tcp", "tcp4", "tcp6", "unix", "unixpacket"}
	bounded := cfg.DrainTimeout > 0
	wrong := map[string]bool{
		"is not a stream network": !slices.Contains(networks, cfg.Network),
		"Listener":                cfg.Listener != nil && cfg.Network != "",
		"as soon as it begins":    cfg.RequestGrace > 0 && cfg.RequestGrace < idle,
		"longer than IdleGrace":   bounded && cfg.DrainTimeout <= idle,
		"RequestGrace %v has":     bounded && cfg.RequestGrace >= cfg.DrainTimeout,
		"HijackGrace %v has":      bounded && cfg.HijackGrace >= cfg.DrainTimeout,
	}
	any := false
	for text, is := range wrong {
		any = any || is
		field, _, _ := strings.Cut(text, " %v ")
		named := err != nil && strings.Contains(err.Error(), text)
		if field != text {
			for line := range strings.Lines(fmt.Sprint(err)) {
				named = named || strings.HasPrefix(line, field+" ") && strings.Contains(line, "has no effect")
			}
		}
		if named != is {
			t.Errorf("Validate(%+v) = %v: says %q: %v, want %v", cfg, err, text, named, is)
		}
	}
	if any != (err != nil) {
		t.Errorf("Validate(%+v) = %v", cfg, err)
	}
}

// stopInTime starts a server with cfg and stops it with a connection in each state. A
// stop without a limit of its own gets one from another Stop.
func stopInTime(t *testing.T, cfg fxshutdown.Config, ln *pipeListener, budget time.Duration) {
	leave := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			http.NewResponseController(w).Hijack()
		case "/stuck":
			<-leave
		}
	})}
	s, err := fxshutdown.New(srv, cfg)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(ms) // The engine's zero is not a moment.
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/", "/hijack", "/stuck"} {
		c, err := ln.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if path != "" {
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		}
	}
	synctest.Wait()
	if budget < 0 || budget > 100*365*24*time.Hour {
		budget = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	began := time.Now()
	err = s.Stop(ctx)
	took(t, "Stop()", time.Since(began), 0, budget+lateMost)
	if r := s.Report(); err == nil || len(r.AbortedRequests) != 1 || len(r.HijackedClosedRequests) != 1 || s.Stats().Open() != 0 {
		t.Errorf("Stop() = %v, Report() = %+v, Stats() = %+v, want one request aborted and one connection cut", err, r, s.Stats())
	}
	close(leave)
}
