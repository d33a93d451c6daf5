package drain

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"
)

// A target is what is loaded.
type target struct {
	https bool
	host  string // as in the URL: for the Host header and the certificate
	name  string // the host without its port
	path  string // path and query
	unix  string // the socket to connect to instead of the host
	addrs []string
	addr  string // the one of addrs that answered
}

// resolve finds the addresses of rawURL's host and refuses it unless all of them are
// loopback: draincheck loads what it has started itself, and nobody else's server.
func resolve(ctx context.Context, rawURL, unix string) (*target, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("-url: %w", err)
	}
	t := &target{https: u.Scheme == "https", host: u.Host, name: u.Hostname(), path: u.RequestURI()}
	if unix != "" {
		t.unix, t.addrs = unix, []string{unix}
		return t, nil
	}
	port := u.Port()
	if port == "" {
		port = "80"
		if t.https {
			port = "443"
		}
	}
	if port == "0" {
		return nil, fmt.Errorf("-url %q: want the port that the command listens on, not 0", rawURL)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, t.name)
	if err != nil {
		return nil, fmt.Errorf("-url: look up %q: %w", t.name, err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return nil, fmt.Errorf("-url: %s is %s, which is not a loopback address: draincheck loads only what runs on "+
				"this machine, such as http://127.0.0.1:8080/ or http://[::1]:8080/", t.name, ip.IP)
		}
		t.addrs = append(t.addrs, net.JoinHostPort(ip.String(), port))
	}
	if len(t.addrs) == 0 {
		return nil, fmt.Errorf("-url: %q has no address", t.name)
	}
	return t, nil
}

// network is that of the target's addresses, as package net calls it.
func (t *target) network() string {
	if t.unix != "" {
		return "unix"
	}
	return "tcp"
}
