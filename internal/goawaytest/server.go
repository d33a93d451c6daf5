package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// server is an HTTP server that stops by a policy.
type server struct {
	policy policy
	front  *http.Server
	addr   net.Addr
	served chan struct{} // closed when Serve has returned
	stopBy func(context.Context) error

	mu       sync.Mutex // guards what follows
	conns    map[*conn]struct{}
	stopping bool
	empty    chan struct{} // closed when the stop has seen the last connection go
}

// start serves h by TLS, or in plain text, until stop.
func start(p policy, cert *tls.Certificate, h http.Handler) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{
		policy: p,
		addr:   ln.Addr(),
		served: make(chan struct{}),
		conns:  make(map[*conn]struct{}),
		empty:  make(chan struct{}),
	}
	s.front = &http.Server{
		Handler:   h,
		ErrorLog:  quietLog,
		Protocols: new(http.Protocols),
	}
	s.front.Protocols.SetHTTP1(true)
	if cert != nil {
		s.front.Protocols.SetHTTP2(true)
		s.front.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
	} else {
		s.front.Protocols.SetUnencryptedHTTP2(true)
	}

	switch {
	case p.name == "fxshutdown":
		f, err := fxshutdown.New(s.front, fxshutdown.Config{Listener: ln, TLS: cert != nil})
		if err == nil {
			err = f.Start(context.Background())
		}
		if err != nil {
			ln.Close()
			return nil, err
		}
		close(s.served)
		s.stopBy = f.Stop
		return s, nil
	case p.retire == nil:
		s.stopBy = s.front.Shutdown
	default:
		s.stopBy = func(ctx context.Context) error { return s.retireAll(ctx, ln) }
		s.front.Handler = tracking{h}
		s.front.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
			if tc, ok := nc.(*tls.Conn); ok {
				nc = tc.NetConn()
			}
			return context.WithValue(ctx, connKey{}, nc.(*conn))
		}
		s.front.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"h2":                serveHTTP2("h2"),
			"unencrypted_http2": serveHTTP2("unencrypted_http2"),
		}
		ln = &listener{ln, s}
	}
	go func() {
		defer close(s.served)
		if cert != nil {
			s.front.ServeTLS(ln, "", "")
		} else {
			s.front.Serve(ln)
		}
	}()
	return s, nil
}

type connKey struct{}

// stop stops the server and returns how long that took. It ends by force with ctx.
func (s *server) stop(ctx context.Context) time.Duration {
	start := time.Now()
	err := s.stopBy(ctx)
	took := time.Since(start)
	if err != nil {
		s.front.Close()
		s.mu.Lock()
		left := make([]*conn, 0, len(s.conns))
		for c := range s.conns {
			left = append(left, c)
		}
		s.mu.Unlock()
		for _, c := range left {
			c.Close()
		}
	}
	<-s.served
	return took
}

// retireAll closes the listener, retires all connections and waits until the last
// one is closed.
func (s *server) retireAll(ctx context.Context, ln net.Listener) error {
	ln.Close()
	<-s.served
	s.mu.Lock()
	s.stopping = true
	if len(s.conns) == 0 {
		close(s.empty)
	}
	for c := range s.conns {
		go s.policy.retire(c)
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.stopping && len(s.conns) == 0 {
		close(s.empty)
	}
}

type listener struct {
	net.Listener
	server *server
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, server: l.server, since: time.Now(), changed: make(chan struct{})}
	l.server.mu.Lock()
	l.server.conns[c] = struct{}{}
	l.server.mu.Unlock()
	return c, nil
}
