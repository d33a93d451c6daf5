package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
)

// client returns a client of the server's mode with connections of its own.
func (s *server) client() *http.Client {
	return clientOf(s.t, s.mode, s.dial)
}

// clientOf returns a client of mode m with connections of its own.
func clientOf(t testing.TB, m mode, dial func(context.Context) (net.Conn, error)) *http.Client {
	tr := &http.Transport{
		Protocols:       m.client(),
		TLSClientConfig: &tls.Config{RootCAs: rootCAs, ServerName: "localhost"},
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// url returns the address of path on the server, which clients dial whatever
// the host says.
func (s *server) url(path string) string { return s.mode.scheme() + "://localhost" + path }

// A reply is what a client got for a request.
type reply struct {
	resp *http.Response
	body string
	err  error
}

// get sends a GET request and reads its response.
func (s *server) get(c *http.Client, path string) reply {
	return s.do(c, http.MethodGet, path, nil)
}

// goGet is get in the background.
func (s *server) goGet(c *http.Client, path string) <-chan reply {
	ch := make(chan reply, 1)
	go func() { ch <- s.get(c, path) }()
	return ch
}

func (s *server) do(c *http.Client, method, path string, body io.Reader) reply {
	ctx, cancel := context.WithTimeout(context.Background(), s.clientTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url(path), body)
	if err != nil {
		return reply{err: err}
	}
	return exchange(c, req)
}

// exchange sends a request and reads its response.
func exchange(c *http.Client, req *http.Request) reply {
	resp, err := c.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp, string(b), err}
}

// want checks that the reply is complete, has status 200 and body.
func (r reply) want(t testing.TB, body string) {
	t.Helper()
	if r.err != nil {
		t.Errorf("response: %v, want 200 %q", r.err, body)
		return
	}
	if r.resp.StatusCode != http.StatusOK || r.body != body {
		t.Errorf("response = %d %q, want 200 %q", r.resp.StatusCode, r.body, body)
	}
}

// wantNone checks that no complete reply came.
func (r reply) wantNone(t testing.TB) {
	t.Helper()
	if r.err == nil {
		t.Errorf("response = %v, want none", r.resp.Status)
	}
}

// wantClose checks whether an HTTP/1 reply says Connection: close.
func (r reply) wantClose(t testing.TB, want bool) {
	t.Helper()
	if r.err == nil && r.resp.Close != want {
		t.Errorf("response says Connection: close: %v, want %v", r.resp.Close, want)
	}
}
