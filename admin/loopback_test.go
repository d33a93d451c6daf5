package fxhttpadmin

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// On another address, or on a unix socket, any host name is allowed.
func TestLoopbackHostsElsewhere(t *testing.T) {
	h := loopbackHosts(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, tt := range []struct {
		at   net.Addr
		want int
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, 200},
		{&net.UnixAddr{Name: "/run/admin.sock", Net: "unix"}, 200},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, 403},
		{&net.TCPAddr{IP: net.IPv6loopback}, 403},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://admin.example/", nil)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tt.at)))
		if w.Code != tt.want {
			t.Errorf("at %v the status is %d, want %d", tt.at, w.Code, tt.want)
		}
	}
}
