package fxhttpprom_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttpprom "github.com/fxshutdown/fxhttp/prom"
)

// The admin server shows the metrics of all servers at localhost:8081/metrics.
func ExampleModule() {
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fxhttpadmin.Module(fxhttpadmin.WithAddr("localhost:8081"), fxhttpadmin.WithPage()),
		fxhttpprom.Module(), fxhttpprom.AdminRoute(), // GET /metrics of the admin server
		fx.Provide(newHandler, prometheus.NewRegistry), // without a registry the default one
		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err()) // app.Run()
	// Output: <nil>
}

// Without Fx, and with a registry of one's own.
func ExampleNewCollector() {
	server, _ := fxshutdown.New(&http.Server{Addr: "127.0.0.1:0", Handler: newHandler()}, fxshutdown.Config{Logger: discard{}})
	collector, err := fxhttpprom.NewCollector(fxhttp.NamedServer{Name: "api", Server: server})
	if err != nil {
		panic(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector)
	server.Start(context.Background())
	defer server.Close()

	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "fxhttp_ready{") {
			fmt.Print(line)
		}
	}
	// Output: fxhttp_ready{server="api"} 1
}

func newHandler() http.Handler { return http.NotFoundHandler() }
