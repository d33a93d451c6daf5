// Command pprof serves the profiles of net/http/pprof on a server of its own.
//
// The surprise: a CPU profile or a trace of 30 s is a running request, and holds the stop
// for as long. EndOnDrain ends it early, and what was recorded by then is still a complete
// profile. (Importing net/http/pprof registers its routes in http.DefaultServeMux, which
// fxhttp serves only with WithDefaultServeMux.)
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		// The server that is listed first stops last.
		fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithAddr("127.0.0.1:8081")),
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(newHandler, fx.Annotate(newAdmin, fx.ResultTags(`name:"admin"`))),
	)
}

func newAdmin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return fxshutdown.EndOnDrain(mux) // glue
}

func newHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hello", func(w http.ResponseWriter, r *http.Request) {
		name, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "hello %s", name)
	})
	return mux
}
