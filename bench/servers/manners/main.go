// Command manners serves the application with braintree/manners.
package main

import (
	"crypto/tls"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/braintree/manners"
	"github.com/fxshutdown/fxhttp/bench/servers/app"
)

func main() {
	s := app.Parse()
	server := s.Server()
	// Without this it offers only HTTP/1.1.
	server.TLSConfig = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	srv := manners.NewWithServer(server)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// It has no time limit of its own.
		time.AfterFunc(s.Limit, func() { log.Fatal("the limit is over") })
		srv.Close()
	}()
	if err := serve(srv, s); err != nil {
		log.Fatal(err)
	}
}

func serve(srv *manners.GracefulServer, s app.Settings) error {
	if s.TLS() {
		return srv.ListenAndServeTLS(s.Cert, s.Key)
	}
	return srv.ListenAndServe()
}
