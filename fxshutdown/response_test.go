package fxshutdown

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
)

// A response is short if its client waits for more than it gets. One whose status
// allows no body, or that answers HEAD, may declare what it does not send
// (RFC 9110, section 8.6).
func TestIsShort(t *testing.T) {
	for _, test := range []struct {
		name   string
		method string
		status int
		length string
		body   string
		want   bool
	}{
		{"complete", "GET", http.StatusOK, "4", "body", false},
		{"a part", "GET", http.StatusOK, "4", "bod", true},
		{"nothing", "GET", http.StatusOK, "4", "", true},
		{"no length", "GET", http.StatusOK, "", "body", false},
		{"no number", "GET", http.StatusOK, "four", "body", false},
		{"HEAD", "HEAD", http.StatusOK, "4", "", false},
		{"not modified", "GET", http.StatusNotModified, "4", "", false},
		{"no content", "GET", http.StatusNoContent, "4", "", false},
		{"another protocol", "GET", http.StatusSwitchingProtocols, "4", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newPipeConn(t)
				x := newTestExchange(c, "/")
				x.method = methodOf(test.method)
				if test.length != "" {
					x.Header().Set("Content-Length", test.length)
				}
				x.WriteHeader(test.status)
				io.WriteString(x, test.body)
				x.tellClose() // as when the handler has returned
				if got := x.isShort(); got != test.want {
					t.Errorf("isShort() = %v, want %v", got, test.want)
				}
			})
		})
	}
}
