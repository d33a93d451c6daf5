// Command fxshutdown serves the application with the engine of this repository, without Fx.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"log"
	"os/signal"
	"syscall"

	"github.com/fxshutdown/fxhttp/bench/servers/app"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() {
	age := flag.Duration("max-connection-age", 0, "MaxConnectionAge of the server")
	s := app.Parse()
	srv := s.Server()
	if s.TLS() {
		cert, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			log.Fatal(err)
		}
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	server, err := fxshutdown.New(srv, fxshutdown.Config{TLS: s.TLS(), MaxConnectionAge: *age})
	if err != nil {
		log.Fatal(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done()

	ctx, cancel := context.WithTimeout(context.Background(), s.Limit)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		log.Fatal(err)
	}
}
