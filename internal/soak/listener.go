package main

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// listeners are the ways in which a server can come by its socket. Each returns what
// happens to the socket after the stop, until end is called.
var listeners = map[string]func(addr string, cfg *fxshutdown.Config) (after func() (end func()), err error){
	"own":               func(string, *fxshutdown.Config) (func() func(), error) { return nobody, nil },
	"unknown":           given(false, nil),
	"unknown-multipath": given(true, nil),
	"owned":             given(false, func() bool { return true }),
	"owned-multipath":   given(true, func() bool { return true }),
	"shared":            shared,
}

func listenerNames() []string { return slices.Sorted(maps.Keys(listeners)) }

func nobody() func() { return func() {} }

func given(multipath bool, owned func() bool) func(string, *fxshutdown.Config) (func() func(), error) {
	return func(addr string, cfg *fxshutdown.Config) (func() func(), error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(multipath)
		ln, err := lc.Listen(context.Background(), "tcp", addr)
		cfg.Listener, cfg.ListenerOwned = ln, owned
		return nobody, err
	}
}

// shared keeps the socket open, as systemd does. After the stop a successor serves
// who waits in its queue.
func shared(addr string, cfg *fxshutdown.Config) (func() func(), error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	f, err := ln.(*net.TCPListener).File()
	if err != nil {
		ln.Close()
		return nil, err
	}
	cfg.Listener, cfg.ListenerOwned = ln, func() bool { return false }
	return func() func() {
		defer f.Close()
		next, err := net.FileListener(f)
		if err != nil {
			return func() {} // the clients in the queue count as lost
		}
		srv := &http.Server{Handler: new(target)}
		go srv.Serve(next)
		return func() { srv.Close() }
	}, nil
}
