package fxhttpotel_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttpotel "github.com/fxshutdown/fxhttp/otel"
)

// serve starts a server without Fx, and a reader of its figures.
func serve(t *testing.T, h http.Handler, cfg fxshutdown.Config) (fxhttp.NamedServer, *sdk.ManualReader) {
	t.Helper()
	cfg.Logger = slow{}
	server, err := fxshutdown.New(&http.Server{Addr: loopback, Handler: h}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	named := fxhttp.NamedServer{Server: server}
	reader := sdk.NewManualReader()
	registration, err := fxhttpotel.Register(sdk.NewMeterProvider(sdk.WithReader(reader)), named)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registration.Unregister(); err != nil {
			t.Error(err)
		}
	})
	return named, reader
}

// A collection before, during and after a stop.
func TestCollections(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cfg     fxshutdown.Config
		release bool // what is held ends by itself
		want    map[string]float64
	}{
		{"Graceful", fxshutdown.Config{}, true, map[string]float64{
			"stop.outcome result=graceful": 1, "stop.phase.outcome name=drain result=complete": 1, "stop.ended_requests result=answered": 1,
		}},
		{"Forced", fxshutdown.Config{DrainTimeout: 1500 * time.Millisecond}, false, map[string]float64{
			"stop.outcome result=forced": 1, "stop.phase.outcome name=force result=incomplete": 1, "stop.ended_requests result=aborted": 1,
			"stop.hijacked_closed_connections": 1, "stop.waited_for_requests": 2,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate()
			tt.cfg.IdleGrace = 20 * time.Millisecond
			s, reader := serve(t, g, tt.cfg)
			held, hijacked := g.send(t, s, "/held"), g.send(t, s, "/hijacked")
			dial(t, s) // says nothing
			eventually(t, "all connections are there", func() bool { return s.Server.Stats().Open() == 3 })

			f := of(collect(t, reader), "http")
			f.want(t, "before", map[string]float64{
				"ready": 1, "open_connections state=new": 1, "open_connections state=active": 1, "open_connections state=hijacked": 1,
				"active_requests": 2, "undecided_requests": 1, "accepted_connections": 3,
				"ended_requests result=hijacked": 1, "ended_requests result=answered": 0,
				"stop.phase.status name=drain": 0, "stop.duration": 0, "stop.ended_requests result=answered": 0,
			})
			f.wantNone(t, "before", "stop.outcome", "stop.phase.outcome", "stop.phase.duration", "stop.time_to_force", "stop.time_to_limit")

			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				s.Server.Stop(ctx)
			}()
			eventually(t, "the silent connection is dropped", func() bool { return s.Server.Report().IdleClosed == 1 })
			f = of(collect(t, reader), "http")
			f.want(t, "during", map[string]float64{
				"ready": 0, "open_connections state=new": 0, "open_connections state=active": 1, "active_requests": 2,
				"stop.phase.status name=drain": 1, "stop.phase.status name=listener": 0, "stop.idle_closed_connections": 1,
			})
			f.wantNone(t, "during", "stop.outcome", "stop.phase.outcome")
			force, limit := f["fxhttp.server.stop.time_to_force"], f["fxhttp.server.stop.time_to_limit"]
			if force <= 0 || limit <= force || limit > patience.Seconds() {
				t.Errorf("%v s until the force, %v s until the end", force, limit)
			}

			if tt.release {
				close(g.opened)
				hijacked.Close()
				held.SetReadDeadline(time.Now().Add(patience))
				if text, err := io.ReadAll(held); err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 OK") {
					t.Errorf("%q, %v", text, err)
				}
			}
			<-s.Server.Done()
			f = of(collect(t, reader), "http")
			<-stopped
			f.want(t, "after", tt.want)
			f.wantNone(t, "after", "stop.time_to_force", "stop.time_to_limit")
			wantReport(t, f, s.Server.Report(), s.Server.Stats())
			if !tt.release {
				close(g.opened)
			}
		})
	}
}

// Counters never fall while a server is loaded, collected from, and stopped.
func TestCollectionsUnderLoad(t *testing.T) {
	s, reader := serve(t, http.NotFoundHandler(), fxshutdown.Config{IdleGrace: 10 * time.Millisecond})
	var clients, readers sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
			defer client.CloseIdleConnections()
			for {
				if resp, err := client.Get("http://" + s.Server.Addr().String()); err == nil {
					resp.Body.Close()
				}
				select {
				case <-s.Server.Done():
					return
				default:
				}
			}
		})
	}
	ended := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			last := figures{}
			for over := false; !over; {
				select {
				case <-ended:
					over = true // after this one
				default:
				}
				f := of(collect(t, reader), "http")
				for _, name := range []string{"accepted_connections", "ended_requests result=answered", "stop.ended_requests result=answered", "stop.idle_closed_connections"} {
					if name = "fxhttp.server." + name; f[name] < last[name] {
						t.Errorf("%s fell from %v to %v", name, last[name], f[name])
					}
				}
				last = f
			}
			wantReport(t, last, s.Server.Report(), s.Server.Stats())
		})
	}
	time.Sleep(100 * time.Millisecond) // of load
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s.Server.Stop(ctx)
	clients.Wait()
	close(ended)
	readers.Wait()
}

func TestRegister(t *testing.T) {
	server, err := fxshutdown.New(&http.Server{}, fxshutdown.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if fxhttpotel.Unnamed != fxhttpadmin.Unnamed {
		t.Errorf("a server without a name is %q here and %q there", fxhttpotel.Unnamed, fxhttpadmin.Unnamed)
	}
	provider := sdk.NewMeterProvider()
	for _, tt := range []struct {
		name    string
		servers []fxhttp.NamedServer
		want    string
	}{
		{"None", nil, "there is no server"},
		{"Nil", []fxhttp.NamedServer{{Name: "api"}}, `the server "api" is nil`},
		{"TwoOfAName", []fxhttp.NamedServer{{Name: "api", Server: server}, {Name: "api", Server: server}}, `two servers are called "api"`},
		{"Unnamed", []fxhttp.NamedServer{{Server: server}, {Name: "http", Server: server}}, `two servers are called "http"`},
		{"NotUTF8", []fxhttp.NamedServer{{Name: "\xff", Server: server}}, `the name "\xff" is not UTF-8`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := fxhttpotel.Register(provider, tt.servers...)
			wantError(t, err, "fxhttpotel: ", tt.want)
		})
	}
	t.Run("Twice", func(t *testing.T) {
		one := fxhttp.NamedServer{Name: "api", Server: server}
		first, err := fxhttpotel.Register(provider, one)
		if err != nil {
			t.Fatal(err)
		}
		_, err = fxhttpotel.Register(provider, one)
		wantError(t, err, `the server "api" is already registered with this provider`)
		other, err := fxhttpotel.Register(sdk.NewMeterProvider(), one)
		if err != nil {
			t.Errorf("with another provider: %v", err)
		}
		for _, r := range []interface{ Unregister() error }{first, first, other} {
			if err := r.Unregister(); err != nil {
				t.Error(err)
			}
		}
		again, err := fxhttpotel.Register(provider, one)
		if err != nil {
			t.Fatalf("after Unregister: %v", err)
		}
		again.Unregister()
	})
}

// Names are in the style of the semantic conventions: lower case, with dots and
// underscores, a unit each, and no type or unit in the name.
func TestConventions(t *testing.T) {
	s, reader := serve(t, http.NotFoundHandler(), fxshutdown.Config{})
	if err := s.Server.Stop(t.Context()); err != nil { // all have figures now, but those of time left
		t.Fatal(err)
	}
	rm := collect(t, reader)
	if n := len(rm.ScopeMetrics[0].Metrics); n != 23 {
		t.Errorf("%d metrics, want 23: the 25 but two of time left", n)
	}
	if n := len(rm.ScopeMetrics); n != 1 || rm.ScopeMetrics[0].Scope.Name != "github.com/fxshutdown/fxhttp/otel" {
		t.Fatalf("%d scopes: %+v", n, rm.ScopeMetrics)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range rm.ScopeMetrics[0].Metrics {
		if !strings.Contains(string(readme), "`"+strings.TrimPrefix(m.Name, "fxhttp.server.")+"`") {
			t.Errorf("README.md does not list %s", m.Name)
		}
		if !regexp.MustCompile(`^fxhttp\.server(\.[a-z]+(_[a-z]+)*)+$`).MatchString(m.Name) || strings.Contains(m.Name, "total") || strings.Contains(m.Name, "seconds") {
			t.Errorf("the name %q", m.Name)
		}
		if m.Unit == "" || m.Description == "" {
			t.Errorf("%s has the unit %q and the description %q", m.Name, m.Unit, m.Description)
		}
		sum, ok := m.Data.(metricdata.Sum[int64])
		counts := strings.HasPrefix(m.Unit, "{") && !strings.Contains(m.Name, ".open_") && !strings.Contains(m.Name, ".waiting_") &&
			!strings.Contains(m.Name, ".active_") && !strings.Contains(m.Name, ".undecided_")
		if counts != (ok && sum.IsMonotonic) {
			t.Errorf("%s, of the unit %s, is a %T", m.Name, m.Unit, m.Data)
		}
	}
}
