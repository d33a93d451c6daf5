package fxshutdown_test

import (
	"net"
	"net/http"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// onPipe is a setting: serve on a pipeListener.
func onPipe(_ *http.Server, cfg *fxshutdown.Config) { cfg.Listener = newPipeListener() }

// on is a setting: serve on l.
func on(l net.Listener) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { cfg.Listener = l }
}

// addr is a setting.
func addr(a string) setting {
	return func(srv *http.Server, _ *fxshutdown.Config) { srv.Addr = a }
}

// network is a setting.
func network(n, address string) setting {
	return func(srv *http.Server, cfg *fxshutdown.Config) { cfg.Network, srv.Addr = n, address }
}

// idleGrace is a setting.
func idleGrace(d time.Duration) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { cfg.IdleGrace = d }
}

// config is a setting.
func config(set func(*fxshutdown.Config)) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { set(cfg) }
}
