package fxhttpadmin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// loopbackHosts refuses requests that reach a loopback address under a name that is not a
// loopback name. A website whose own name resolves to a loopback address (DNS rebinding)
// could otherwise send such requests from a browser on this machine, and read the
// responses, since browsers regard them as being of the website's own origin.
func loopbackHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && at.IP.IsLoopback() && !isLoopback(r.Host) {
			http.Error(w, "not served under this host name: use localhost or a loopback address", http.StatusForbidden)
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
