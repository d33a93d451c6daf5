package fxhttpotel_test

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttpotel "github.com/fxshutdown/fxhttp/otel"
)

// The provider is shut down by a hook that its constructor appends: that runs when the
// servers have stopped and Module has flushed.
func ExampleModule() {
	newMeterProvider := func(lc fx.Lifecycle, exporter sdkmetric.Exporter) metric.MeterProvider {
		p := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
		lc.Append(fx.StopHook(p.Shutdown))
		return p
	}
	last := &exporter{}
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0")),
		fxhttpotel.Module(),
		fx.Provide(newHandler, newMeterProvider),
		fx.Supply(fx.Annotate(last, fx.As(new(sdkmetric.Exporter)))),
		fx.NopLogger, fx.Provide(func() fxshutdown.Logger { return discard{} }), // for this example only
	)
	fmt.Println(app.Start(context.Background()), app.Stop(context.Background())) // app.Run()
	fmt.Println(last.of("http")["fxhttp.server.stop.outcome result=graceful"])
	// Output:
	// <nil> <nil>
	// 1
}

// Without Fx.
func ExampleRegister() {
	ctx := context.Background()
	provider := sdkmetric.NewMeterProvider() // with a reader
	server, _ := fxshutdown.New(&http.Server{Addr: "127.0.0.1:0", Handler: newHandler()}, fxshutdown.Config{Logger: discard{}})
	registration, err := fxhttpotel.Register(provider, fxhttp.NamedServer{Name: "api", Server: server})
	if err != nil {
		panic(err)
	}
	server.Start(ctx)
	// …
	server.Stop(ctx)
	provider.Shutdown(ctx) // exports the last figures
	fmt.Println(registration.Unregister())
	// Output: <nil>
}

func newHandler() http.Handler { return http.NotFoundHandler() }
