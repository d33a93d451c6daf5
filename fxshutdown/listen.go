package fxshutdown

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// listen opens the listener that cfg and addr ask for.
func listen(ctx context.Context, cfg Config, addr string) (net.Listener, error) {
	if addr == "" {
		if cfg.Network == "unix" || cfg.Network == "unixpacket" {
			return nil, fmt.Errorf("listen on %s: no path: set the http.Server's Addr", cfg.Network)
		}
		addr = ":http"
		if cfg.TLS {
			addr = ":https"
		}
	}
	var lc net.ListenConfig
	if cfg.ListenConfig != nil {
		lc = *cfg.ListenConfig
	}
	lc.SetMultipathTCP(false) // which refuses the filter of ignoreSYNs
	open := func() (net.Listener, error) { return lc.Listen(ctx, cfg.Network, addr) }
	if mode := cfg.SocketMode; mode != 0 {
		if isAbstract(addr) {
			return nil, fmt.Errorf("listen on %s %q: SocketMode %#o: an abstract address has no file", cfg.Network, addr, mode)
		}
		open = func() (net.Listener, error) { return listenMode(&lc, cfg.Network, addr, mode) }
	}
	ln, err := open()
	if err != nil && cfg.Network == "unix" && errors.Is(err, errnoInUse) && removeStale(addr) {
		ln, err = open()
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s %q: %w", cfg.Network, addr, err)
	}
	return ln, nil
}

// isAbstract reports whether the address of a unix socket is an abstract name, a feature
// of Linux, which has no file.
func isAbstract(addr string) bool {
	return strings.HasPrefix(addr, "@") || strings.HasPrefix(addr, "\x00")
}

// removeStale removes the socket that a crashed process left behind: a file that is a
// socket on which nobody listens.
func removeStale(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return false
	}
	return errors.Is(err, errnoRefused) && os.Remove(path) == nil
}
