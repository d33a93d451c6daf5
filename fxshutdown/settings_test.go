package fxshutdown_test

import (
	"io/fs"
	"net"
	"net/http"
	"runtime"
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

// unixSocket is a setting. A mode of zero is none.
func unixSocket(path string, mode fs.FileMode) setting {
	return func(srv *http.Server, cfg *fxshutdown.Config) {
		cfg.Network, srv.Addr, cfg.SocketMode = "unix", path, mode
	}
}

// idleGrace is a setting.
func idleGrace(d time.Duration) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { cfg.IdleGrace = d }
}

// TestValidateListeners checks the errors for settings that do not fit a given listener,
// or need one.
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

// TestValidateSocketMode checks the errors for a wrong mode, and for settings that a mode
// does not fit.
func TestValidateSocketMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		err := fxshutdown.Config{Network: "unix", SocketMode: 0o660}.Validate()
		if err == nil || !strings.Contains(err.Error(), "SocketMode 0660: ") {
			t.Errorf("Validate() = %v, want an error about SocketMode", err)
		}
		return
	}
	for _, tt := range []struct {
		cfg  fxshutdown.Config
		want string
	}{
		{fxshutdown.Config{Network: "unix", SocketMode: 0o660}, ""},
		{fxshutdown.Config{Network: "unixpacket", SocketMode: 0o777, ListenConfig: new(net.ListenConfig)}, ""},
		{fxshutdown.Config{SocketMode: 0o660}, `SocketMode 0660 needs Network unix or unixpacket, not "tcp"`},
		{fxshutdown.Config{Network: "tcp6", SocketMode: 0o660}, `SocketMode 0660 needs Network unix or unixpacket, not "tcp6"`},
		{fxshutdown.Config{Listener: newPipeListener(), SocketMode: 0o660}, "SocketMode 0660 and Listener are both set"},
		{fxshutdown.Config{Network: "unix", SocketMode: 660}, "SocketMode 01224 has more than permission bits"}, // not 0o660
		{fxshutdown.Config{Network: "unix", SocketMode: fs.ModeSocket | 0o660}, "has more than permission bits"},
	} {
		err := tt.cfg.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("Validate() = %v, want %q", err, tt.want)
		}
	}
}

// TestValidateMaxConnections checks the error for a negative limit.
func TestValidateMaxConnections(t *testing.T) {
	err := fxshutdown.Config{MaxConnections: -1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "MaxConnections -1 is negative") {
		t.Errorf("Validate() = %v, want an error about MaxConnections", err)
	}
}

// config is a setting.
func config(set func(*fxshutdown.Config)) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { set(cfg) }
}
