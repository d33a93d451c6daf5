package fxhttpadmin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// probe sends a request to the handler, without a network.
func probe(h http.Handler, target string) (status int, body string) {
	mux := http.NewServeMux()
	mux.Handle("/readyz", h)
	mux.Handle("/readyz/{name...}", h)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w.Code, w.Body.String()
}

func ready(t *testing.T, cfg fxhttpadmin.ReadyConfig) http.Handler {
	t.Helper()
	h, err := fxhttpadmin.Ready(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func passes(context.Context) error { return nil }
func fails(context.Context) error  { return errors.New("password=secret") }

// The wording is that of Kubernetes. The order in which the checks were given does not
// matter.
func TestReady(t *testing.T) {
	h := ready(t, fxhttpadmin.ReadyConfig{Checks: []fxhttpadmin.Check{
		{Name: "queue", Func: passes}, {Name: "cache/warm", Func: passes}, {Name: "db", Func: fails},
	}})
	const withoutDB = "[+]cache/warm ok\n[+]db excluded: ok\n[+]queue ok\n"
	for _, tt := range []struct {
		target string
		status int
		body   string
	}{
		{"/readyz", 503, "[+]cache/warm ok\n[-]db failed: reason withheld\n[+]queue ok\nreadyz check failed\n"},
		{"/readyz?exclude=db", 200, "ok\n"},
		{"/readyz?verbose&exclude=db", 200, withoutDB + "readyz check passed\n"},
		{"/readyz?verbose=1&exclude=db", 200, withoutDB + "readyz check passed\n"},
		{"/readyz?verbose&exclude=db&exclude=cache/warm", 200, "[+]cache/warm excluded: ok\n[+]db excluded: ok\n[+]queue ok\nreadyz check passed\n"},
		{"/readyz?verbose&exclude=db&exclude=%3Cb%3E", 200, withoutDB + "warn: some health checks cannot be excluded: no matches for 1 names\nreadyz check passed\n"},
		{"/readyz?exclude=queue", 503, "[+]cache/warm ok\n[-]db failed: reason withheld\n[+]queue excluded: ok\nreadyz check failed\n"},
		{"/readyz/queue", 200, "ok\n"},
		{"/readyz/cache/warm", 200, "ok\n"},
		{"/readyz/db", 503, "failed: reason withheld\n"},
		{"/readyz/nothing", 404, "no such check\n"},
	} {
		if status, body := probe(h, tt.target); status != tt.status || body != tt.body {
			t.Errorf("%s = %d %q, want %d %q", tt.target, status, body, tt.status, tt.body)
		}
	}
	if status, body := probe(ready(t, fxhttpadmin.ReadyConfig{}), "/readyz?verbose"); status != 200 || body != "readyz check passed\n" {
		t.Errorf("without checks = %d %q, want 200", status, body)
	}
}

func TestReadyConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		cfg  fxhttpadmin.ReadyConfig
		want string
	}{
		{fxhttpadmin.ReadyConfig{CheckTimeout: -1}, "CheckTimeout -1ns is negative"},
		{fxhttpadmin.ReadyConfig{Servers: []fxhttp.NamedServer{{Name: "a"}}}, `the server "a" is nil`},
	} {
		_, err := fxhttpadmin.Ready(tt.cfg)
		wantError(t, err, tt.want)
	}
}

// An excluded check is not called at all.
func TestReadyExcludedIsNotCalled(t *testing.T) {
	var calls atomic.Int32
	h := ready(t, fxhttpadmin.ReadyConfig{Checks: []fxhttpadmin.Check{{Name: "db", Func: func(context.Context) error { calls.Add(1); return nil }}}})
	probe(h, "/readyz?exclude=db")
	if n := calls.Load(); n != 0 {
		t.Errorf("it was called %d times", n)
	}
}

// Checks run at the same time, each with its own timeout, so all of them together take no
// longer than one.
func TestCheckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		h := ready(t, fxhttpadmin.ReadyConfig{Checks: []fxhttpadmin.Check{{Name: "a", Func: slow}, {Name: "b", Func: slow}, {Name: "c", Func: passes}}})
		began := time.Now()
		if status, body := probe(h, "/readyz"); status != 503 || body != "[-]a failed: reason withheld\n[-]b failed: reason withheld\n[+]c ok\nreadyz check failed\n" {
			t.Errorf("readyz = %d %q, want a and b to fail", status, body)
		}
		if took := time.Since(began); took != fxhttpadmin.DefaultCheckTimeout {
			t.Errorf("it took %v, want %v", took, fxhttpadmin.DefaultCheckTimeout)
		}
	})
}

// A check that ignores its context holds one goroutine, not one for each probe. It fails
// until it returns, and at once for probes that come after its timeout.
func TestCheckHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		var calls atomic.Int32
		h := ready(t, fxhttpadmin.ReadyConfig{CheckTimeout: time.Second, Checks: []fxhttpadmin.Check{{Name: "db", Func: func(context.Context) error {
			if calls.Add(1) == 1 {
				<-hang
			}
			return nil
		}}}})
		for _, want := range []time.Duration{time.Second, 0, 0} {
			began := time.Now()
			if status, _ := probe(h, "/readyz"); status != 503 {
				t.Errorf("readyz = %d, want 503", status)
			}
			if took := time.Since(began); took != want {
				t.Errorf("it took %v, want %v", took, want)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("it was called %d times, want once", n)
		}
		close(hang)
		synctest.Wait()
		if status, _ := probe(h, "/readyz"); status != 200 {
			t.Errorf("readyz = %d once it has returned, want 200", status)
		}
	})
}

// Probes that arrive at the same time share a call.
func TestCheckIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		h := ready(t, fxhttpadmin.ReadyConfig{Checks: []fxhttpadmin.Check{{Name: "db", Func: func(context.Context) error {
			calls.Add(1)
			time.Sleep(100 * time.Millisecond)
			return nil
		}}}})
		var probes sync.WaitGroup
		for range 10 {
			probes.Go(func() {
				if status, _ := probe(h, "/readyz"); status != 200 {
					t.Errorf("readyz = %d, want 200", status)
				}
			})
		}
		probes.Wait()
		if n := calls.Load(); n != 1 {
			t.Errorf("it was called %d times, want once", n)
		}
		probe(h, "/readyz")
		if n := calls.Load(); n != 2 {
			t.Errorf("it was called %d times, want a new call for a later probe", n)
		}
	})
}

// A check that panics, or ends its goroutine, fails without any other effect.
func TestCheckPanics(t *testing.T) {
	for name, f := range map[string]func(context.Context) error{
		"Panics": func(context.Context) error { panic("no map") },
		"Exits":  func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var reason error
			h := ready(t, fxhttpadmin.ReadyConfig{
				Checks: []fxhttpadmin.Check{{Name: "bad", Func: f}, {Name: "good", Func: passes}},
				Log:    func(_ string, err error) { reason = err },
			})
			for range 2 {
				if status, body := probe(h, "/readyz"); status != 503 || body != "[-]bad failed: reason withheld\n[+]good ok\nreadyz check failed\n" {
					t.Errorf("readyz = %d %q, want bad alone to fail", status, body)
				}
			}
			if reason == nil {
				t.Error("the log was told nothing")
			}
		})
	}
}

// Checks come from the graph. The reason for a failure is in the log, once, and in no
// response.
func TestAsCheck(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	var broken atomic.Bool
	type database struct{}
	a := startApp(t, nil,
		fx.Supply(zap.New(core)),
		fx.Provide(func() *database { return new(database) }),
		fxhttpadmin.AsCheck(func(*database) fxhttpadmin.Check {
			return fxhttpadmin.Check{Name: "db", Func: func(ctx context.Context) error {
				if broken.Load() {
					return fails(ctx)
				}
				return nil
			}}
		}),
		fxhttpadmin.AsCheck(func() (fxhttpadmin.Check, error) { return fxhttpadmin.Check{Name: "cache", Func: passes}, nil }))
	if got := a.get(t, "/readyz?verbose"); got.status != 200 || got.body != "[+]server/admin ok\n[+]cache ok\n[+]db ok\nreadyz check passed\n" {
		t.Errorf("readyz = %d %q", got.status, got.body)
	}
	broken.Store(true)
	for range 3 {
		if got := a.get(t, "/readyz"); got.status != 503 || strings.Contains(got.body, "secret") {
			t.Errorf("readyz = %d %q, want 503 without the reason", got.status, got.body)
		}
	}
	broken.Store(false)
	a.get(t, "/readyz")
	a.get(t, "/readyz")
	all := logs.FilterField(zap.String("check", "db")).All()
	if len(all) != 2 || all[0].Message != "readiness check fails" || all[0].ContextMap()["error"] != "password=secret" || all[1].Message != "readiness check passes again" {
		t.Errorf("log = %+v, want that it failed and passes again", all)
	}
}

// The response also names a server on which SetUnready was called.
func TestReadySetUnready(t *testing.T) {
	a := startApp(t, nil, api(http.NotFoundHandler()))
	a.servers[""].SetUnready("maintenance")
	if got := a.get(t, "/readyz"); got.status != 503 || !strings.Contains(got.body, "[-]server/http failed") {
		t.Errorf("readyz = %d %q, want 503", got.status, got.body)
	}
	if got := a.get(t, "/readyz/server/http"); got.status != 503 {
		t.Errorf("readyz/server/http = %d, want 503", got.status)
	}
}

// Without an admin server, the handlers run on the server whose readiness they report.
func TestOnTheSameServer(t *testing.T) {
	var server *fxshutdown.Server
	app := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithAddr(loopback)), fx.Populate(&server),
		fx.Provide(func() fxshutdown.Logger { return discard{} }, fx.Annotate(func(all []fxhttp.NamedServer) (http.Handler, error) {
			ready, err := fxhttpadmin.Ready(fxhttpadmin.ReadyConfig{Servers: all})
			mux := http.NewServeMux()
			mux.Handle("/readyz", ready)
			mux.Handle("/livez", fxhttpadmin.Live())
			mux.Handle("/stats", fxhttpadmin.Stats(all...))
			return mux, err
		}, fx.ParamTags(`group:"fxhttp.servers"`))))
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := &testApp{App: app, admin: server, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() { a.stop(5 * time.Second) })
	if got := a.get(t, "/readyz?verbose"); got.status != 200 || got.body != "[+]server/http ok\nreadyz check passed\n" {
		t.Errorf("readyz = %d %q, want 200", got.status, got.body)
	}
	if got := a.get(t, "/livez?verbose"); got.status != 200 || got.body != "[+]ping ok\nlivez check passed\n" {
		t.Errorf("livez = %d %q, want 200", got.status, got.body)
	}
	server.SetUnready("test")
	if got := a.get(t, "/readyz"); got.status != 503 {
		t.Errorf("readyz = %d, want 503", got.status)
	}
}
