// Command nethttp serves the application with net/http alone, and stops with [http.Server.Shutdown].
package main

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/fxshutdown/fxhttp/bench/servers/app"
)

func main() {
	s := app.Parse()
	srv := s.Server()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	go func() {
		if err := serve(srv, s); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-ctx.Done()

	// The program must not return before Shutdown does, as its documentation says.
	ctx, cancel := context.WithTimeout(context.Background(), s.Limit)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
}

func serve(srv *http.Server, s app.Settings) error {
	if s.TLS() {
		return srv.ListenAndServeTLS(s.Cert, s.Key)
	}
	return srv.ListenAndServe()
}
