package fxshutdown_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
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

// TestValidateListeners names the settings that do not fit a listener that is given,
// or one that is not.
func TestValidateListeners(t *testing.T) {
	yes := func() bool { return true }
	for want, cfg := range map[string]fxshutdown.Config{
		"":                   {Listener: newPipeListener(), ListenerOwned: yes, ListenerHandedOver: yes},
		"ListenConfig":       {Listener: newPipeListener(), ListenConfig: new(net.ListenConfig)},
		"ListenerOwned":      {ListenerOwned: yes},
		"ListenerHandedOver": {ListenerHandedOver: yes, ListenConfig: new(net.ListenConfig)},
	} {
		err := cfg.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+" ")) {
			t.Errorf("Validate() = %v, want an error about %q", err, want)
		}
	}
}

// config is a setting.
func config(set func(*fxshutdown.Config)) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { set(cfg) }
}
