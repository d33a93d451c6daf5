package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// serveWord is the first argument of a process that is to be a server.
const serveWord = "serve"

// bare is the server to compare with.
const bare = "bare"

// servers are what can be stopped. Each serves until the context ends, calls
// stopping, and stops.
var servers = map[string]func(ctx context.Context, srv *http.Server, age time.Duration, stopping func()) error{
	"fxshutdown": serveEngine,
	bare:         serveBare,
}

func serverNames() []string { return slices.Sorted(maps.Keys(servers)) }

// serveIfAsked makes this process a server, if it was started as one by
// [bed.serverCommand].
func serveIfAsked() {
	if len(os.Args) < 2 || os.Args[1] != serveWord {
		return
	}
	if err := serve(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "farload serve:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// stopLimit is what a stop may take.
const stopLimit = 15 * time.Second

func serve(args []string) error {
	fs := flag.NewFlagSet(serveWord, flag.ExitOnError)
	kind := fs.String("kind", "", "")
	addr := fs.String("addr", "", "")
	useTLS := fs.Bool("tls", false, "")
	age := fs.Duration("age", 0, "")
	tell := fs.String("tell", "", "")
	fs.Parse(args)

	srv := &http.Server{
		Addr: *addr,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "hello, world\n")
		}),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	if *useTLS {
		cert, _ := testcert.New()
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	to, err := net.Dial("unixgram", *tell)
	if err != nil {
		return err
	}
	return servers[*kind](ctx, srv, *age, func() { to.Write([]byte("stopping")) })
}

func serveEngine(ctx context.Context, srv *http.Server, age time.Duration, stopping func()) error {
	s, err := fxshutdown.New(srv, fxshutdown.Config{TLS: srv.TLSConfig != nil, MaxConnectionAge: age})
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	stopping()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return s.Stop(ctx)
}

func serveBare(ctx context.Context, srv *http.Server, _ time.Duration, stopping func()) error {
	ln, err := net.Listen("tcp", srv.Addr)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			served <- srv.ServeTLS(ln, "", "")
			return
		}
		served <- srv.Serve(ln)
	}()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stopping()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
