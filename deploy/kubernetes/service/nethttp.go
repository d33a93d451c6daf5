package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
)

// serveNetHTTP serves the same with http.Server alone, as a careful program would: the
// same timeouts, probes on a port of their own, readiness that fails at the signal, the
// same delay before Shutdown, and streams that are told.
func serveNetHTTP(e environment) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var unready atomic.Bool
	ready := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if unready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	draining := make(chan struct{})
	srv := newNetHTTP(newHandler(e.report, ready, func(context.Context) <-chan struct{} { return draining }))
	srv.RegisterOnShutdown(func() { close(draining) })
	probes := http.NewServeMux()
	probes.Handle("/livez", fxhttpadmin.Live())
	probes.Handle("/readyz", ready)
	admin := newNetHTTP(probes)
	ended := make(chan error, 2)
	for _, s := range []struct {
		server *http.Server
		port   string
	}{{admin, adminPort}, {srv, servingPort}} {
		ln, err := net.Listen("tcp", net.JoinHostPort(e.host, s.port))
		if err != nil {
			return err
		}
		go func() { ended <- s.server.Serve(ln) }()
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	unready.Store(true)
	limit, cancel := context.WithTimeout(context.Background(), e.stopTimeout)
	defer cancel()
	time.Sleep(e.delay)
	return errors.Join(srv.Shutdown(limit), admin.Shutdown(limit))
}

func newNetHTTP(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: fxhttp.DefaultReadHeaderTimeout, IdleTimeout: fxhttp.DefaultIdleTimeout}
}
