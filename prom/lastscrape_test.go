package fxhttpprom_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttpprom "github.com/fxshutdown/fxhttp/prom"
)

// lastScrape is the arrangement of the README, for a scrape interval of 15 s: it has to
// hold for the times as they are written there.
var lastScrape = fx.Options(
	fxhttp.Module(fxhttp.WithAddr(":8080"), fxhttp.WithStopReserve(20*time.Second)),
	fxhttpadmin.Module(),
	fxhttp.ProvideNamedOption("admin", func() fxhttp.Option {
		return fxhttp.WithShutdownDelay(16 * time.Second) // the scrape interval, and a second
	}),
	fxhttpprom.Module(),
	fxhttpprom.AdminRoute(),
	fx.StopTimeout(45*time.Second),
)

// The times of the README fit, however long the API drains: the engine says how it divides
// them, and then is told to end at once.
func TestLastScrapeTimes(t *testing.T) {
	app := fx.New(lastScrape, fx.NopLogger, fx.Provide(http.NotFoundHandler, prometheus.NewRegistry))
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	if app.StopTimeout() != 45*time.Second {
		t.Errorf("StopTimeout() = %v", app.StopTimeout())
	}
	divide := func(timeout time.Duration, cfg fxshutdown.Config) *fxshutdown.StopBegan {
		t.Helper()
		began := make(chan *fxshutdown.StopBegan, 1)
		cfg.Logger = logger(func(e fxshutdown.Event) {
			if s, ok := e.(*fxshutdown.StopBegan); ok {
				began <- s
			}
		})
		server, err := fxshutdown.New(&http.Server{Addr: loopback, Handler: http.NotFoundHandler()}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		dial(t, server.Addr().String()).get("/") // a delay is for those who have had clients
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		stopped := make(chan struct{})
		go func() { defer close(stopped); server.Stop(ctx) }()
		s := <-began
		server.Close()
		<-stopped
		return s
	}
	api := divide(45*time.Second, fxshutdown.Config{StopReserve: 20 * time.Second})
	if api.Reserve != 20*time.Second {
		t.Errorf("the API leaves %v", api.Reserve)
	}
	if admin := divide(api.Reserve, fxshutdown.Config{ShutdownDelay: 16 * time.Second}); admin.SkipReason != "" {
		t.Errorf("of %v the admin server's delay is skipped: %s", api.Reserve, admin.SkipReason)
	}
	if admin := divide(2*time.Second, fxshutdown.Config{ShutdownDelay: 16 * time.Second}); admin.SkipReason != fxshutdown.SkipTooLong {
		t.Errorf("of the 2 s that a server leaves by itself the delay is not skipped: %q", admin.SkipReason)
	}
}

type logger func(fxshutdown.Event)

func (l logger) LogEvent(e fxshutdown.Event) { l(e) }

// A scraper that comes at intervals sees how a stop has ended that took all its time,
// with the arrangement and not without.
func TestLastScrape(t *testing.T) {
	const interval = 300 * time.Millisecond
	for _, tt := range []struct {
		name    string
		reserve time.Duration
		seen    bool
	}{
		{"Arranged", 2400 * time.Millisecond, true},
		{"DefaultReserve", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGate()
			defer close(g.opened)
			a := startApp(t, api(g, fxhttp.WithStopReserve(tt.reserve)), admin(fxhttp.WithShutdownDelay(time.Second)))
			dial(t, a.addr("")).send("/stuck")
			g.awaitBegun(t)

			last := make(chan scrape, 1)
			addr := a.addr("admin")
			go func() {
				var latest scrape
				for {
					s, _, err := try(addr)
					if err != nil {
						break // it is gone
					}
					latest = s
					time.Sleep(interval)
				}
				last <- latest
			}()
			eventually(t, "the first scrape", func() bool { return a.servers["admin"].Server.Stats().Answered > 0 })

			a.beginStop(5 * time.Second)
			if err := a.awaitStop(t); err == nil {
				t.Error("Stop() = nil, want what was aborted")
			}
			s := <-last
			event, _ := a.servers["admin"].StopBegan()
			if skipped := event.SkipReason == fxshutdown.SkipTooLong; skipped == tt.seen {
				t.Errorf("the admin server's delay was skipped: %v (%q)", skipped, event.SkipReason)
			}
			if tt.seen {
				server := a.servers[""].Server
				s.want(t, "the last scrape", "http", map[string]int{`fxhttp_stop_result{result="forced"}`: 1})
				wantReport(t, s, "http", server.Report(), server.Stats())
			}
		})
	}
}
