// Command graceful serves the application with tylerb/graceful, which handles the signals by itself.
package main

import (
	"log"
	"net/http"

	"github.com/fxshutdown/fxhttp/bench/servers/app"
	"gopkg.in/tylerb/graceful.v1"
)

func main() {
	s := app.Parse()
	if !s.TLS() {
		graceful.Run(s.Addr, s.Limit, app.Handler())
		return
	}
	srv := &graceful.Server{
		Timeout: s.Limit,
		Server:  &http.Server{Addr: s.Addr, Handler: app.Handler()},
	}
	if err := srv.ListenAndServeTLS(s.Cert, s.Key); err != nil {
		log.Fatal(err)
	}
}
