package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// A server is an fxshutdown.Server under test, with what observes it from outside.
type server struct {
	*fxshutdown.Server
	t      testing.TB
	mode   mode
	http   *http.Server
	calls  *calls
	states *states
	events *events
	errors *syncBuffer // what the http.Server logged
	dial   func(context.Context) (net.Conn, error)

	clientTimeout time.Duration
}

// A setting changes what newServer sets up.
type setting func(*http.Server, *fxshutdown.Config)

// start starts a server of mode m on loopback, or on a listener that a setting
// brings. At the end of the test it is stopped, if it was not, and its account
// and the descriptors of the process must balance.
func start(t testing.TB, m mode, handler http.HandlerFunc, settings ...setting) *server {
	t.Helper()
	s := newServer(t, m, handler, settings...)
	s.start()
	return s
}

// startHeld starts a server with a request for path at a gate. The gate opens at the end
// of the test at the latest, before the server's account is checked.
func startHeld(t testing.TB, m mode, path string, settings ...setting) (*server, *gate, <-chan reply) {
	t.Helper()
	g := newGate()
	s := start(t, m, g.ServeHTTP, settings...)
	got := s.goGet(s.client(), path)
	t.Cleanup(g.open)
	g.waitEntered(t, 1)
	return s, g, got
}

// newServer is start without Start.
func newServer(t testing.TB, m mode, handler http.HandlerFunc, settings ...setting) *server {
	t.Helper()
	watchFDs(t)
	s := &server{t: t, mode: m, calls: &calls{}, states: newStates(), events: newEvents(), errors: &syncBuffer{}, clientTimeout: patience}
	s.http = &http.Server{
		Addr:     "127.0.0.1:0",
		Handler:  s.calls.count(handler),
		ErrorLog: log.New(s.errors, "", 0),
	}
	cfg := fxshutdown.Config{TLS: m.tls, Logger: s.events}
	prepare(s.http, m)
	for _, set := range settings {
		set(s.http, &cfg)
	}
	s.http.ConnState = s.states.record(s.http.ConnState)
	s.dial = s.dialAddr
	if l, ok := cfg.Listener.(dialer); ok {
		s.dial = func(context.Context) (net.Conn, error) { return l.dial() }
		s.clientTimeout = 1000 * time.Hour // The time of a bubble costs nothing.
	} else if cfg.IdleGrace == 0 {
		cfg.IdleGrace = quickGrace
	}
	var err error
	if s.Server, err = fxshutdown.New(s.http, cfg); err != nil {
		t.Fatalf("New() = %v", err)
	}
	t.Cleanup(s.finish)
	return s
}

// dialAddr connects to the server's address. A client whose SYN the stop made the
// kernel ignore tries again after a second; this one gives up when the stop is
// over. (A listener that dies closes Done too, perhaps before the dial returns that
// it accepted last.)
func (s *server) dialAddr(ctx context.Context) (net.Conn, error) {
	if !isClosed(s.Done()) {
		var giveUp context.CancelFunc
		ctx, giveUp = context.WithCancel(ctx)
		defer giveUp()
		go func() {
			for _, ch := range []<-chan struct{}{s.Draining(), s.Done()} {
				select {
				case <-ch:
				case <-ctx.Done():
					return
				}
			}
			giveUp()
		}()
	}
	a := s.Addr()
	return new(net.Dialer).DialContext(ctx, a.Network(), a.String())
}

// dialer is how newServer finds out that clients do not dial the address.
type dialer interface{ dial() (net.Conn, error) }

// prepare makes srv serve mode m.
func prepare(srv *http.Server, m mode) {
	if m.tls {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	if m == h2c {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
}

// certificate is the servers', and rootCAs trusts it.
var certificate, rootCAs = testcert.New()

func (s *server) start() {
	s.t.Helper()
	if err := s.Start(context.Background()); err != nil {
		s.t.Fatalf("Start() = %v", err)
	}
}

// finish stops the server by force if the test did not stop it, and checks its account.
func (s *server) finish() {
	closed := make(chan struct{})
	go func() { defer close(closed); s.Close() }()
	receive(s.t, "Close()", closed) // A server that hangs fails only its own test.
	s.calls.wait(s.t)
	s.checkAccount()
}

// stop calls Stop with more time than any graceful stop needs.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.Stop(ctx)
}

// mustStop is stop for a test that expects no error.
func (s *server) mustStop() {
	s.t.Helper()
	if err := s.stop(); err != nil {
		s.t.Errorf("Stop() = %v, want nil", err)
	}
}

// stopIn begins Stop in the background, with timeout or, if it is zero, no
// deadline, and returns once the drain has begun. The channel has Stop's result.
func (s *server) stopIn(timeout time.Duration) <-chan error {
	s.t.Helper()
	done := make(chan error, 1)
	ctx, cancel := context.Background(), func() {}
	if timeout != 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	go func() { defer cancel(); done <- s.Stop(ctx) }()
	receive(s.t, "Draining()", s.Draining())
	return done
}

// wantStopped waits for the result of a Stop in the background, which must be no error.
func wantStopped(t testing.TB, done <-chan error) {
	t.Helper()
	if err := receive(t, "Stop()", done); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
}

// timeStop calls Stop and returns how long it took.
func (s *server) timeStop(timeout time.Duration) (time.Duration, error) {
	ctx, cancel := context.Background(), func() {}
	if timeout != 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	began := time.Now()
	err := s.Stop(ctx)
	return time.Since(began), err
}

// mustStopIn checks that Stop is graceful and takes no less and no more.
func (s *server) mustStopIn(least, most time.Duration) {
	s.t.Helper()
	d, err := s.timeStop(time.Hour)
	if err != nil {
		s.t.Errorf("Stop() = %v, want nil", err)
	}
	took(s.t, "Stop()", d, least, most)
}

// startBare starts a bare http.Server with the same settings as start would,
// to compare with. Its Server is nil.
func startBare(t testing.TB, m mode, handler http.HandlerFunc, settings ...setting) *server {
	t.Helper()
	s := &server{t: t, mode: m, calls: &calls{}, states: newStates(), errors: &syncBuffer{}, clientTimeout: patience}
	s.http = &http.Server{Handler: s.calls.count(handler), ErrorLog: log.New(s.errors, "", 0)}
	prepare(s.http, m)
	var cfg fxshutdown.Config
	for _, set := range settings {
		set(s.http, &cfg)
	}
	s.http.ConnState = s.states.record(s.http.ConnState)
	l := cfg.Listener
	if l == nil {
		l = listen(t, "tcp", "127.0.0.1:0")
	}
	s.dial = func(ctx context.Context) (net.Conn, error) {
		if l, ok := l.(dialer); ok {
			return l.dial()
		}
		return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if m.tls {
			s.http.ServeTLS(l, "", "")
		} else {
			s.http.Serve(l)
		}
	}()
	t.Cleanup(func() { s.http.Close(); <-done; s.calls.wait(t) })
	return s
}
