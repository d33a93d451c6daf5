// Command chi serves a chi router.
//
// The surprise: a constructor that returns a *chi.Mux, or a chi.Router, does not give the
// graph an http.Handler, because Fx goes by the declared type. The app does not start
// without fx.As.
package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(fx.Annotate(newRouter, fx.As(new(http.Handler)))), // glue
	)
}

func newRouter() *chi.Mux {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Post("/hello", func(w http.ResponseWriter, r *http.Request) {
		name, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "hello %s", name)
	})
	return r
}
