// Command otelhttp traces its requests with otelhttp.
//
// The surprise: if an fx.Invoke listed after fxhttp.Module appends the hook that shuts the
// TracerProvider down, that happens before the drain: the spans of all requests that end
// during the stop are dropped silently. As a dependency of the handler, the TracerProvider
// flushes after the last of these requests.
package main

import (
	"fmt"
	"io"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() { fx.New(service(stdouttrace.New)).Run() }

// service returns the app. newExporter is the constructor of a trace.SpanExporter.
func service(newExporter any) fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(fx.Annotate(newExporter, fx.As(new(trace.SpanExporter)))),
		fx.Provide(newTracing, newHandler),
	)
}

func newTracing(lc fx.Lifecycle, exporter trace.SpanExporter) *trace.TracerProvider {
	tracing := trace.NewTracerProvider(trace.WithBatcher(exporter))
	lc.Append(fx.StopHook(tracing.Shutdown)) // flushes, in the time that StopReserve leaves
	return tracing
}

func newHandler(tracing *trace.TracerProvider) http.Handler { // glue: not otel.SetTracerProvider alone
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hello", func(w http.ResponseWriter, r *http.Request) {
		name, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "hello %s", name)
	})
	return otelhttp.NewHandler(mux, "api", otelhttp.WithTracerProvider(tracing))
}
