package fxhttpotel_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	fxhttpotel "github.com/fxshutdown/fxhttp/otel"
)

// The last export has the whole drain of every server, wherever Module is listed.
func TestLastExport(t *testing.T) {
	for _, tt := range []struct {
		name string
		list func(metrics, api, jobs, admin fx.Option) fx.Option
	}{
		{"First", func(metrics, api, jobs, admin fx.Option) fx.Option { return fx.Options(metrics, api, jobs, admin) }},
		{"Between", func(metrics, api, jobs, admin fx.Option) fx.Option { return fx.Options(api, metrics, admin, jobs) }},
		{"Last", func(metrics, api, jobs, admin fx.Option) fx.Option { return fx.Options(admin, api, jobs, metrics) }},
		{"InAModule", func(metrics, api, jobs, admin fx.Option) fx.Option {
			return fx.Options(api, admin, jobs, fx.Module("telemetry", fx.Module("inner", metrics)))
		}},
		{"ServersInModules", func(metrics, api, jobs, admin fx.Option) fx.Option {
			return fx.Options(fx.Module("telemetry", metrics), fx.Module("api", api), fx.Module("jobs", jobs, admin))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, all, g := &exporter{}, servers{}, newGate()
			app := fx.New(all.find(), provide(periodic(e)), tt.list(
				fxhttpotel.Module(),
				api(g, fxhttp.WithDrainTimeout(300*time.Millisecond)),
				api(http.NotFoundHandler(), fxhttp.WithName("jobs")),
				fxhttpadmin.Module(fxhttpadmin.WithAddr(loopback))))
			start(t, app)
			held := g.send(t, all[""], "/held")
			defer held.Close()
			if err := stop(app, patience); err == nil {
				t.Error("Stop() = nil, want what was aborted")
			}
			close(g.opened)
			for name, s := range map[string]fxhttp.NamedServer{"http": all[""], "jobs": all["jobs"], "admin": all["admin"]} {
				wantReport(t, e.of(name), s.Server.Report(), s.Server.Stats())
			}
			e.of("http").want(t, "after", map[string]float64{"stop.outcome result=forced": 1, "stop.ended_requests result=aborted": 1})
			e.of("admin").want(t, "after", map[string]float64{"stop.outcome result=graceful": 1})
		})
	}
}

// A server that starts before would stop after the last export.
func TestListedTooLate(t *testing.T) {
	all := servers{}
	app := fx.New(all.find(), fx.Module("api", api(http.NotFoundHandler())), fxhttpotel.Module(), provide(periodic(&exporter{})))
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	wantError(t, app.Start(t.Context()), `fxhttpotel: the server "http" has started already`, "list fxhttpotel.Module before")
	if err := stop(app, patience); err != nil {
		t.Error(err)
	}
}

// After the stop a provider that lives on has nothing of the app any more.
func TestUnregisters(t *testing.T) {
	reader := sdk.NewManualReader()
	provider := fx.Supply(fx.Annotate(sdk.NewMeterProvider(sdk.WithReader(reader)), fx.As(new(metric.MeterProvider))))
	for range 2 {
		all := servers{}
		app := fx.New(all.find(), fxhttpotel.Module(), api(http.NotFoundHandler()), provider)
		start(t, app)
		if f := of(collect(t, reader), "http"); f["fxhttp.server.ready"] != 1 {
			t.Errorf("the app that runs has %v", f)
		}
		if err := stop(app, patience); err != nil {
			t.Error(err)
		}
		if f := of(collect(t, reader), "http"); len(f) > 0 {
			t.Errorf("the app that has stopped has %v", f)
		}
	}
}

// An exporter that hangs does not take the time of the hooks behind it.
func TestFlushIsBounded(t *testing.T) {
	told := &errorHandler{}
	otel.SetErrorHandler(told)
	var left time.Duration
	all := servers{}
	provider := sdk.NewMeterProvider(sdk.WithReader(periodic(&exporter{hang: true})))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		provider.Shutdown(ctx) // its error is that of the exporter
	})
	app := fx.New(all.find(), fxhttpotel.Module(), api(http.NotFoundHandler()), fx.Provide(func(lc fx.Lifecycle) metric.MeterProvider {
		lc.Append(fx.StopHook(func(ctx context.Context) { // in the place of Shutdown
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
		}))
		return provider
	}))
	start(t, app)
	if err := stop(app, 2*time.Second); err != nil {
		t.Errorf("Stop() = %v", err)
	}
	if left < 500*time.Millisecond {
		t.Errorf("the hook behind has %v left of 2 s", left)
	}
	if told.n.Load() == 0 {
		t.Error("nobody was told that the export failed")
	}
}

// errorHandler counts what is told to otel.Handle.
type errorHandler struct{ n atomic.Int64 }

func (h *errorHandler) Handle(error) { h.n.Add(1) }

// Which provider is taken.
func TestProvider(t *testing.T) {
	t.Run("Global", func(t *testing.T) {
		reader := sdk.NewManualReader()
		otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
		all := servers{}
		app := fx.New(all.find(), fxhttpotel.Module(), api(http.NotFoundHandler()))
		start(t, app)
		if f := of(collect(t, reader), "http"); f["fxhttp.server.ready"] != 1 {
			t.Errorf("the global provider has %v", f)
		}
		if err := stop(app, patience); err != nil {
			t.Error(err)
		}
	})
	t.Run("OfTheSDK", func(t *testing.T) {
		err := fx.New(fx.NopLogger, fxhttpotel.Module(), api(http.NotFoundHandler()), fx.Provide(func() *sdk.MeterProvider { return nil })).Err()
		wantError(t, err, "the app provides a *metric.MeterProvider, which fxhttpotel does not take", "fx.As(new(metric.MeterProvider))")
	})
	t.Run("CannotBeBuilt", func(t *testing.T) {
		type missing struct{}
		err := fx.New(fx.NopLogger, fxhttpotel.Module(), api(http.NotFoundHandler()), fx.Provide(func(missing) metric.MeterProvider { return nil })).Err()
		wantError(t, err, "the app provides a metric.MeterProvider that cannot be used")
	})
	t.Run("NoServer", func(t *testing.T) {
		wantError(t, fx.New(fx.NopLogger, fxhttpotel.Module()).Err(), "fxhttpotel: there is no server")
	})
	t.Run("Twice", func(t *testing.T) {
		err := fx.New(fx.NopLogger, fxhttpotel.Module(), fxhttpotel.Module(), api(http.NotFoundHandler())).Err()
		wantError(t, err, "newObserverOfOneModule")
	})
}
