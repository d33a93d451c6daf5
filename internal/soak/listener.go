package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// listeners are the ways in which a server can come by its socket. Each returns what
// happens to the socket when the server has stopped.
var listeners = map[string]func(*http.Server, *fxshutdown.Config) (after func(context.Context) error, err error){
	"own":               func(*http.Server, *fxshutdown.Config) (func(context.Context) error, error) { return nobody, nil },
	"unknown":           given(false, nil),
	"unknown-multipath": given(true, nil),
	"owned":             given(false, ours),
	"owned-multipath":   given(true, ours),
	"shared":            shared,
}

func listenerNames() []string { return slices.Sorted(maps.Keys(listeners)) }

func nobody(context.Context) error { return nil }
func ours() bool                   { return true }

func given(multipath bool, owned func() bool) func(*http.Server, *fxshutdown.Config) (func(context.Context) error, error) {
	return func(srv *http.Server, cfg *fxshutdown.Config) (func(context.Context) error, error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(multipath)
		ln, err := lc.Listen(context.Background(), "tcp", srv.Addr)
		cfg.Listener, cfg.ListenerOwned = ln, owned
		return nobody, err
	}
}

// shared keeps the socket open, as systemd does. When the server has stopped, a successor
// in this process serves the clients in its queue, is the socket's last owner, and stops
// in turn: the time until the end of the process is that of both.
func shared(srv *http.Server, cfg *fxshutdown.Config) (func(context.Context) error, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), "tcp", srv.Addr)
	if err != nil {
		return nil, err
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		ln.Close()
		return nil, err
	}
	next := *cfg
	cfg.Listener, cfg.ListenerOwned = ln, func() bool { return false }
	return func(ctx context.Context) error {
		began := time.Now()
		next.Listener, err = net.FileListener(f)
		f.Close()
		if err != nil {
			return err
		}
		next.ListenerOwned = ours
		s, err := fxshutdown.New(&http.Server{Handler: new(target), TLSConfig: srv.TLSConfig}, next)
		if err != nil {
			return err
		}
		if err := s.Start(ctx); err != nil {
			return err
		}
		time.Sleep(successorServes)
		err = s.Stop(ctx)
		fmt.Fprintf(os.Stderr, "the successor took %v\n", time.Since(began))
		return err
	}, nil
}

// successorServes is how long the successor of a shared socket serves.
const successorServes = 100 * time.Millisecond
