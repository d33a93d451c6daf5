package fxhttpadmin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// loopbackHosts refuses what came to a loopback address by another name than that of one.
// A web site can lead a browser on this machine there, by a name of its own (DNS
// rebinding), and read what is served, as of the same origin.
func loopbackHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && at.IP.IsLoopback() && !isLoopback(r.Host) {
			http.Error(w, "not served under this name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback reports whether the Host of a request is a loopback address, or "localhost"
// or a name below it, with or without a port.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
