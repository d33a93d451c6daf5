// Command timeouthandler bounds its requests with http.TimeoutHandler.
//
// The surprise: after a TimeoutHandler has answered with 503, the handler inside it goes
// on running. Its request is over, so the drain does not wait for the handler, and the
// database is closed while the handler uses it. Count such handlers, and wait for them in
// a hook between the server's and the database's. (A TimeoutHandler also buffers the whole
// response, so do not use it for streams.)
package main

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

func main() { fx.New(service()).Run() }

func service() fx.Option {
	return fx.Options(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(newDatabase, newHandlers, newHandler),
	)
}

// handlers counts the handlers that may outlive their requests. (glue)
type handlers struct{ running sync.WaitGroup }

// newHandlers takes the database so that Fx stops the database later.
func newHandlers(lc fx.Lifecycle, _ *database) *handlers {
	h := &handlers{}
	lc.Append(fx.StopHook(h.running.Wait)) // bounded by Fx's stop timeout
	return h
}

// within is http.TimeoutHandler, except that the stop waits for the handler inside.
func (h *handlers) within(d time.Duration, next http.HandlerFunc) http.Handler {
	bounded := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer h.running.Done()
		next(w, r)
	}), d, "too slow\n")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.running.Add(1)
		bounded.ServeHTTP(w, r)
	})
}

func newHandler(h *handlers, db *database) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /import", h.within(100*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		if err := db.load(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	return mux
}

// database is slow, and takes no context.
type database struct {
	closed atomic.Bool
	loaded atomic.Int64
}

func newDatabase(lc fx.Lifecycle) *database {
	db := &database{}
	lc.Append(fx.StopHook(func() { db.closed.Store(true) }))
	return db
}

func (db *database) load() error {
	time.Sleep(300 * time.Millisecond)
	if db.closed.Load() {
		return errors.New("the database is closed")
	}
	db.loaded.Add(1)
	return nil
}
