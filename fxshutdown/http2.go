package fxshutdown

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
)

// newGoaway returns the private server that owns the state of the HTTP/2
// connections: they belong to the server on which HTTP/2 was configured, not to
// the one that serves them. Its Shutdown sends GOAWAY to each of them that has
// not had one. If the given server brought its own HTTP/2 (TLSNextProto has
// "h2"), that one stays, with the callback that it registered there.
func newGoaway(given *http.Server, useTLS bool) (*http.Server, error) {
	g := new(http.Server)
	copySettings(g, given)
	g.TLSNextProto = maps.Clone(g.TLSNextProto)
	g.BaseContext = nil // the user's is called once, for the real listener
	if g.TLSConfig != nil {
		g.TLSConfig = g.TLSConfig.Clone()
	}
	// Only Serve configures HTTP/2; a listener that is closed already lets it
	// do that and return.
	var err error
	if useTLS {
		err = g.ServeTLS(closedListener{}, "", "")
	} else {
		err = g.Serve(closedListener{})
	}
	if errors.Is(err, errConfigured) {
		err = nil
	}
	return g, err
}

var errConfigured = errors.New("configured")

type closedListener struct{}

func (closedListener) Accept() (net.Conn, error) { return nil, errConfigured }
func (closedListener) Close() error              { return nil }
func (closedListener) Addr() net.Addr            { return parkedAddr{} }

// nextProtos makes HTTP/2 see the given server: it is the one that
// http.ServerContextKey names, and whose ConnState hook hears of HTTP/2.
func (s *Server) nextProtos(protos map[string]func(*http.Server, *tls.Conn, http.Handler)) map[string]func(*http.Server, *tls.Conn, http.Handler) {
	if protos == nil {
		return nil
	}
	wrapped := make(map[string]func(*http.Server, *tls.Conn, http.Handler), len(protos))
	for name, serve := range protos {
		wrapped[name] = func(_ *http.Server, tc *tls.Conn, h http.Handler) {
			if c := s.connOf(tc); c != nil {
				if name == "h2" || name == "unencrypted_http2" {
					c.mu.Lock()
					c.h2 = true
					c.mu.Unlock()
				} else {
					// Whether it waits for something only the user's function knows.
					c.setState(http.StateHijacked)
				}
			}
			serve(s.given, tc, h)
		}
	}
	return wrapped
}

// sendGoAway asks every HTTP/2 connection that has not had it to send GOAWAY.
func (s *Server) sendGoAway() {
	// Shutdown runs the callbacks, HTTP/2's own, on goroutines; it has neither
	// listeners nor connections to wait for.
	s.goaway.Shutdown(context.Background())
}
