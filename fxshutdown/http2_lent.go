package fxshutdown

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"reflect"
	"time"
)

// Since Go 1.27, the functions that net/http puts into TLSNextProto serve nothing. net/http
// lends its HTTP/2 in another way, which this file uses.

// serveConn serves a connection by the HTTP/2 of an http.Server.
type serveConn = func(ctx context.Context, nc net.Conn, h http.Handler, sawPreface bool, upgrade *http.Request, settings []byte)

// http2Listener is how net/http lends its HTTP/2 since Go 1.27: Serve does not accept from
// a listener with these methods, but gives it the function that serves a connection. The
// methods are meant for golang.org/x/net/http2. Up to Go 1.26, http2Listener is only a
// closedListener, and the function of TLSNextProto serves.
type http2Listener struct {
	closedListener
	settings *http.Server
	serve    serveConn
}

func (l *http2Listener) HTTP2Config() http.HTTP2Config { return http.HTTP2Config{} } // beside http.Server.HTTP2
func (l *http2Listener) ServeConnFunc(f serveConn)     { l.serve = f }

func (l *http2Listener) IdleTimeout() time.Duration {
	return cmp.Or(l.settings.IdleTimeout, l.settings.ReadTimeout)
}

// serveHTTP2 serves a connection by a private server, which it gives to told first.
func serveHTTP2(settings *http.Server, name string, tc *tls.Conn, handler http.Handler, told func(*http.Server)) {
	l := &http2Listener{settings: settings}
	server, _ := newHTTP2Server(settings, false, l) // it did not fail at Start
	server.TLSConfig = nil                          // nobody looks at it
	told(server)
	if l.serve == nil {
		server.TLSNextProto[name](server, tc, handler)
		return
	}
	nc, unencrypted := net.Conn(tc), false
	if u, ok := tc.NetConn().(interface{ UnencryptedNetConn() net.Conn }); ok {
		nc, unencrypted = u.UnencryptedNetConn(), true // net/http has read the preface
	}
	ctx := context.Background()
	if b, ok := handler.(interface{ BaseContext() context.Context }); ok {
		ctx = b.BaseContext()
	}
	l.serve(ctx, nc, handler, unencrypted, nil, nil)
}

// isStub reports whether f only stands for net/http's HTTP/2, and closes the connections
// that it is called for. Since Go 1.27, ConfigureServer of golang.org/x/net/http2 leaves
// such a function in TLSNextProto, and net/http keeps its settings to itself.
func isStub(f nextProto) bool {
	l := &http2Listener{settings: new(http.Server)}
	s, _ := newHTTP2Server(l.settings, false, l)
	return l.serve != nil && codeOf(f) == codeOf(s.TLSNextProto[protoHTTP2])
}

func codeOf(f nextProto) uintptr { return reflect.ValueOf(f).Pointer() }
