package fxhttp_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// These tests contain the fragments of the docs. TestGoBlocks compares them.

func newHandler() http.Handler         { return text("hello\n") }
func newInternalHandler() http.Handler { return text("internal\n") }

// TestDocsTesting runs the fragment of docs/testing.md.
func TestDocsTesting(t *testing.T) {
	t.Run("Unnamed", func(t *testing.T) {
		var server *fxshutdown.Server
		app := fxtest.New(t,
			fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0")),
			fx.Provide(newHandler),
			fx.Populate(&server),
		)
		app.RequireStart()
		defer app.RequireStop()
		resp, err := http.Get("http://" + server.Addr().String() + "/hello")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
	})

	t.Run("Named", func(t *testing.T) {
		const tag = `name:"admin"`
		var server *fxshutdown.Server
		app := fxtest.New(t,
			fxhttp.Module(fxhttp.WithName("admin")),
			fx.Replace(fx.Annotate(fxhttp.Config{Addr: "127.0.0.1:0"}, fx.ResultTags(tag))),
			fx.Provide(fx.Annotate(newHandler, fx.ResultTags(tag))),
			fx.Populate(fx.Annotate(&server, fx.ParamTags(`name:"admin"`))),
		)
		app.RequireStart().RequireStop()
		if server == nil {
			t.Error("the server was not populated")
		}
	})
}

// TestDocsWiring runs the fragments of docs/wiring.md.
func TestDocsWiring(t *testing.T) {
	stderr := os.Stderr
	os.Stderr = nil // Fx would log there
	defer func() { os.Stderr = stderr }()
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr(":8080"), fxhttp.WithShutdownDelay(5*time.Second)),
		fxhttp.Module(fxhttp.WithName("internal"), fxhttp.WithAddr(":9090")),
		fx.Provide(
			newHandler,
			fx.Annotate(newInternalHandler, fx.ResultTags(`name:"internal"`)),
		),
	)
	if err := app.Err(); err != nil {
		t.Error(err)
	}

	var logger fxshutdown.Logger
	fxtest.New(t,
		fx.Supply(slog.Default()),
		fx.Provide(func(l *slog.Logger) fxshutdown.Logger {
			return &fxshutdown.SlogLogger{Logger: l}
		}),
		fx.Populate(&logger),
	)
	if l, ok := logger.(*fxshutdown.SlogLogger); !ok || l.Logger != slog.Default() {
		t.Errorf("the logger is %v, want one around the *slog.Logger of the graph", logger)
	}
}

// TestDocsStreams runs the fragments of docs/stop.md.
func TestDocsStreams(t *testing.T) {
	events := make(chan string)
	stream := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-fxshutdown.Draining(r.Context()):
			return // say goodbye: the client reconnects elsewhere
		case event := <-events:
			fmt.Fprintf(w, "data: %s\n\n", event)
		}
	}
	app := startApp(t, []fxhttp.Option{fxhttp.WithHandler(http.HandlerFunc(stream))})
	go func() { events <- "one" }()
	resp, err := http.Get("http://" + app.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()

	mux, proxy := http.NewServeMux(), newHandler()
	mux.Handle("/events", fxshutdown.EndOnDrain(proxy))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/events", nil))
	if got := w.Body.String(); got != "hello\n" {
		t.Errorf("the response is %q", got)
	}
}
