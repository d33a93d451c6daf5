// Command gorillamux serves a gorilla/mux router, to which each part of the service adds
// its routes.
//
// The surprise: routes registered by an fx.Invoke that is listed after fxhttp.Module work
// until the stop. Then what they need stops before the server has drained, and running
// requests find their database closed. Routes that come from the graph are part of the
// handler, so what they need outlives the server.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/gorilla/mux"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(
			newDatabase,
			// glue: a value group of routes, not an fx.Invoke for each
			fx.Annotate(newHello, fx.ResultTags(`group:"routes"`)),
			fx.Annotate(newRouter, fx.ParamTags(`group:"routes"`), fx.As(new(http.Handler))),
		),
	)
}

// route adds the routes of one part of the service to the router.
type route func(*mux.Router)

func newRouter(routes []route) *mux.Router {
	r := mux.NewRouter()
	for _, add := range routes {
		add(r)
	}
	return r
}

func newHello(db *database) route {
	return func(r *mux.Router) {
		r.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) {
			name, err := io.ReadAll(r.Body)
			if err == nil {
				err = db.insert(name)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprintf(w, "hello %s", name)
		}).Methods(http.MethodPost)
	}
}

type database struct{ closed atomic.Bool }

func newDatabase(lc fx.Lifecycle) *database {
	db := &database{}
	lc.Append(fx.StopHook(func() { db.closed.Store(true) }))
	return db
}

func (db *database) insert([]byte) error {
	if db.closed.Load() {
		return errors.New("the database is closed")
	}
	return nil
}
