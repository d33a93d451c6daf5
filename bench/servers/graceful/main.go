// Command graceful serves the application with tylerb/graceful, which handles the signals itself.
package main

import (
	"errors"
	"log"
	"net"
	"time"

	"github.com/fxshutdown/fxhttp/bench/servers/app"
	"gopkg.in/tylerb/graceful.v1"
)

func main() {
	s := app.Parse()
	// As graceful.Run makes it.
	srv := &graceful.Server{
		Timeout:      s.Limit,
		TCPKeepAlive: 3 * time.Minute,
		Server:       s.Server(),
	}
	if err := serve(srv, s); err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "accept" {
			return // as graceful.Run judges it, this is a stop
		}
		log.Fatal(err)
	}
}

func serve(srv *graceful.Server, s app.Settings) error {
	if s.TLS() {
		return srv.ListenAndServeTLS(s.Cert, s.Key)
	}
	return srv.ListenAndServe()
}
