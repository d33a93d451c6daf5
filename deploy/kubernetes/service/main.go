// Command service is what runs in the pods of the manifests beside it, and in those of the
// play: a service on fxhttp whose times are in its environment.
//
//	SHUTDOWN_DELAY   given to fxhttp.WithShutdownDelay
//	STOP_TIMEOUT     given to fx.StopTimeout (15s)
//
// These are the play's alone:
//
//	HOST             the address to listen on (all: a pod has one of its own)
//	REPORT           how long /report takes (1s)
//	STARTUP          how long it takes until the service listens
//	FORCE_SIGNALS    if it is not empty, a second SIGTERM ends the drain
//	SERVER           net/http: http.Server and its Shutdown instead, see nethttp.go
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The ports of the manifest.
const (
	servingPort = "8080"
	adminPort   = "8081"
)

func main() {
	e, err := readEnvironment(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	time.Sleep(e.startup)
	if e.netHTTP {
		if err := serveNetHTTP(e); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	options := []fxhttp.Option{
		fxhttp.WithAddr(net.JoinHostPort(e.host, servingPort)),
		fxhttp.WithShutdownDelay(e.delay),
	}
	if e.forceSignals {
		options = append(options, fxhttp.WithForceSignals())
	}
	fx.New(
		fxhttp.Module(options...),
		fxhttpadmin.Module(fxhttpadmin.WithAddr(net.JoinHostPort(e.host, adminPort))),
		fx.Provide(zap.NewProduction, func(s *fxshutdown.Server) http.Handler {
			return newHandler(e.report, s.ReadyHandler(), fxshutdown.Draining)
		}),
		fx.StopTimeout(e.stopTimeout),
		fx.WithLogger(quietFx),
	).Run()
}

// quietFx logs what goes wrong in Fx, and not each constructor.
func quietFx(log *zap.Logger) fxevent.Logger {
	l := &fxevent.ZapLogger{Logger: log}
	l.UseLogLevel(zap.DebugLevel)
	return l
}

// newHandler serves what the load asks for. draining says when a stream has to end.
func newHandler(report time.Duration, ready http.Handler, draining func(context.Context) <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	mux.Handle("/readyz", ready) // on the port of the clients: what the manifest does not use
	mux.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(report):
			fmt.Fprintln(w, "done")
		case <-r.Context().Done():
			http.Error(w, "not finished", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			fmt.Fprint(w, "data: tick\n\n")
			if out.Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-draining(r.Context()):
				fmt.Fprint(w, "data: goodbye\n\n")
				return
			case <-r.Context().Done():
				return
			}
		}
	})
	return mux
}
