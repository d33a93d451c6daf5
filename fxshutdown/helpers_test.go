package fxshutdown_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// patience is how long a test waits for what should come soon. It ends a test
// that hangs and is no measure of anything.
const patience = 10 * time.Second

// slack is what a busy machine may add to a time on the wall.
const slack = 500 * time.Millisecond

// A mode is a protocol that a scenario runs over.
type mode struct {
	name string
	tls  bool
	h2   bool
}

var (
	h1     = mode{name: "h1"}
	https1 = mode{name: "https1", tls: true}
	h2     = mode{name: "h2", tls: true, h2: true}
	h2c    = mode{name: "h2c", h2: true}
)

// inModes runs a scenario over each of modes.
func inModes(t *testing.T, modes []mode, scenario func(*testing.T, mode)) {
	t.Helper()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { scenario(t, m) })
	}
}

var (
	allModes = []mode{h1, https1, h2, h2c}
	h1Modes  = []mode{h1, https1}
	h2Modes  = []mode{h2, h2c}
)

// client returns the protocols of a client of mode m.
func (m mode) client() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!m.h2)
	p.SetHTTP2(m.h2 && m.tls)
	p.SetUnencryptedHTTP2(m.h2 && !m.tls)
	return p
}

// scheme returns "http" or "https".
func (m mode) scheme() string {
	if m.tls {
		return "https"
	}
	return "http"
}

// certificate is the servers', valid in the year 2000 too, where a synctest
// bubble begins.
var certificate, rootCAs = newCertificate()

func newCertificate() (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "fxshutdown test"},
		NotBefore:             time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// A server is a fxshutdown.Server under test, with what observes it from outside.
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

// newServer is start without Start.
func newServer(t testing.TB, m mode, handler http.HandlerFunc, settings ...setting) *server {
	t.Helper()
	fds := openFDs(t)
	t.Cleanup(func() { checkFDs(t, fds) })
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
	var err error
	if s.Server, err = fxshutdown.New(s.http, cfg); err != nil {
		t.Fatalf("New() = %v", err)
	}
	s.dial = s.dialAddr
	if l, ok := cfg.Listener.(dialer); ok {
		s.dial = func(context.Context) (net.Conn, error) { return l.dial() }
		s.clientTimeout = 1000 * time.Hour // The time of a bubble costs nothing.
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
	receive(s.t, "Close()", closed) // A server that hangs fails its test alone.
	s.calls.wait(s.t)
	s.checkAccount()
}

// checkAccount compares the figures of a server that was stopped with each
// other and with what the handlers counted.
func (s *server) checkAccount() {
	s.t.Helper()
	// Handlers that outlive the stop leave InFlight when they return, which
	// their own count sees a moment earlier.
	eventually(s.t, "Stats().InFlight == 0", func() bool { return s.Stats().InFlight == 0 })
	st, r := s.Stats(), s.Report()
	if st.Open() != 0 {
		s.t.Errorf("Stats() after the stop = %+v, want none open", st)
	}
	if st.Accepted != st.Closed {
		s.t.Errorf("Stats() after the stop: Accepted = %d, Closed = %d, want the same", st.Accepted, st.Closed)
	}
	if got := r.Answered + r.Failed + r.Hijacked + len(r.Aborted); r.Requests != got {
		s.t.Errorf("Report().Requests = %d, but Answered %d + Failed %d + Hijacked %d + Aborted %d = %d",
			r.Requests, r.Answered, r.Failed, r.Hijacked, len(r.Aborted), got)
	}
	// After a stop by force net/http may be about to call the handler still.
	requests, begun := uint64(0), int64(0)
	if !within(func() bool {
		requests, begun = s.Stats().Requests, s.calls.begun.Load()
		return requests == uint64(begun)
	}) {
		s.t.Errorf("Stats().Requests = %d, the handler counted %d", requests, begun)
	}
	if got := uint64(len(r.Aborted)); st.Aborted != got {
		s.t.Errorf("Stats().Aborted = %d, Report().Aborted lists %d", st.Aborted, got)
	}
	if got := s.calls.panicked.Load(); st.Failed+st.Aborted < uint64(got) || st.Failed > uint64(got) {
		s.t.Errorf("Stats().Failed = %d and Aborted = %d, the handler counted %d panics", st.Failed, st.Aborted, got)
	}
	eventually(s.t, fmt.Sprintf("ConnState saw %d new connections, as Stats().Accepted", st.Accepted), func() bool {
		return st.Accepted == uint64(s.states.count(http.StateNew))
	})
}

// account holds the figures of a Report that a test knows in advance.
type account struct{ answered, failed, hijacked, aborted, cancelled, cut int }

// wantReport compares the report with what the test itself did.
func (s *server) wantReport(want account) fxshutdown.Report {
	s.t.Helper()
	r := s.Report()
	got := account{r.Answered, r.Failed, r.Hijacked, len(r.Aborted), len(r.Cancelled), len(r.Cut)}
	if got != want {
		s.t.Errorf("Report() = %+v, want %+v; all of it: %+v", got, want, r)
	}
	if n := want.answered + want.failed + want.hijacked + want.aborted; r.Requests != n {
		s.t.Errorf("Report().Requests = %d, want %d", r.Requests, n)
	}
	return r
}

// stop calls Stop with a time that no graceful stop needs.
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

// wantClose checks whether an HTTP/1 reply says Connection: close.
func (r reply) wantClose(t testing.TB, want bool) {
	t.Helper()
	if r.err == nil && r.resp.Close != want {
		t.Errorf("response says Connection: close: %v, want %v", r.resp.Close, want)
	}
}

// calls counts what the handler did, independently of the server.
type calls struct {
	begun, ended, panicked atomic.Int64
}

// count returns a handler that calls h and counts.
func (c *calls) count(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.begun.Add(1)
		returned := false
		defer func() {
			if !returned {
				c.panicked.Add(1)
			}
			c.ended.Add(1)
		}()
		h(w, r)
		returned = true
	})
}

// besides adds n requests that net/http answers without the handler.
func (c *calls) besides(n int) {
	c.begun.Add(int64(n))
	c.ended.Add(int64(n))
}

// wait waits for the handlers to return.
func (c *calls) wait(t testing.TB) {
	t.Helper()
	eventually(t, "the handlers have returned", func() bool { return c.begun.Load() == c.ended.Load() })
}

// states records what the ConnState hook was told.
type states struct {
	mu   sync.Mutex // guards the fields below
	cond *sync.Cond
	seen map[net.Conn][]http.ConnState
	of   map[http.ConnState]int
	conn []net.Conn // in the order of their first state
}

func newStates() *states {
	s := &states{seen: map[net.Conn][]http.ConnState{}, of: map[http.ConnState]int{}}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// record returns a hook that records and calls next.
func (s *states) record(next func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(c net.Conn, st http.ConnState) {
		s.mu.Lock()
		if _, ok := s.seen[c]; !ok {
			s.conn = append(s.conn, c)
		}
		s.seen[c] = append(s.seen[c], st)
		s.of[st]++
		s.cond.Broadcast()
		s.mu.Unlock()
		if next != nil {
			next(c, st)
		}
	}
}

// wait waits until n connections entered st.
func (s *states) wait(t testing.TB, st http.ConnState, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() { s.mu.Lock(); late = true; s.cond.Broadcast(); s.mu.Unlock() })
	defer timer.Stop()
	for s.of[st] < n {
		if late {
			t.Fatalf("ConnState saw %d connections become %v, want %d", s.of[st], st, n)
		}
		s.cond.Wait()
	}
}

func (s *states) count(st http.ConnState) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[st]
}

// conns returns each connection's type and its states, in the order in which
// the connections came.
func (s *states) conns() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, c := range s.conn {
		all = append(all, fmt.Sprintf("%T %v", c, s.seen[c]))
	}
	return all
}

// events is a Logger that keeps what it was told.
type events struct {
	mu   sync.Mutex // guards the fields below
	cond *sync.Cond
	all  []fxshutdown.Event
}

func newEvents() *events {
	e := &events{}
	e.cond = sync.NewCond(&e.mu)
	return e
}

func (e *events) LogEvent(ev fxshutdown.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
	e.cond.Broadcast()
}

// names returns the types of the events, in order.
func (e *events) names() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, ev := range e.all {
		names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", ev), "*fxshutdown."))
	}
	return names
}

// event waits for an event of type T.
func event[T fxshutdown.Event](s *server) T {
	s.t.Helper()
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() { e.mu.Lock(); late = true; e.cond.Broadcast(); e.mu.Unlock() })
	defer timer.Stop()
	for {
		for _, ev := range e.all {
			if ev, ok := ev.(T); ok {
				return ev
			}
		}
		var none T
		if late {
			s.t.Fatalf("no event %T", none)
		}
		e.cond.Wait()
	}
}

// syncBuffer is a bytes.Buffer for more than one goroutine.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// receive waits for a value, or for the channel to be closed.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing in %v", what, patience)
		panic("unreachable")
	}
}

// pending checks that nothing has come from ch so far.
func pending[T any](t testing.TB, what string, ch <-chan T) {
	t.Helper()
	select {
	case v := <-ch:
		t.Errorf("%s: %v already", what, v)
	default:
	}
}

// eventually waits for what no event tells of.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !within(cond) {
		t.Errorf("not so in %v: %s", patience, what)
	}
}

// within reports whether cond becomes true while a test has patience.
func within(cond func() bool) bool {
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// openFDs counts the descriptors of the process that are sockets.
func openFDs(t testing.TB) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(name, "socket:") {
			n++
		}
	}
	return n
}

// checkFDs checks that no socket was left open since openFDs said before.
// Clients close theirs in the background.
func checkFDs(t testing.TB, before int) {
	t.Helper()
	now := 0
	eventually(t, "open sockets are back to what they were", func() bool {
		now = openFDs(t)
		return now <= before
	})
	if now > before {
		t.Errorf("open sockets = %d, %d before the test", now, before)
	}
}

// A rawConn is a client's connection that sends what it is told.
type rawConn struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

// raw opens an HTTP/1 connection, with the handshake done if it is TLS.
func (s *server) raw() *rawConn {
	s.t.Helper()
	c := s.socket()
	if s.mode.tls {
		tc := tls.Client(c, &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
		if err := tc.Handshake(); err != nil {
			s.t.Fatalf("handshake: %v", err)
		}
		c = tc
	}
	return newRawConn(s.t, c)
}

// socket opens a connection and sends nothing.
func (s *server) socket() net.Conn {
	s.t.Helper()
	c, err := s.dial(context.Background())
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, ok := c.(*net.TCPConn); ok {
		c.SetDeadline(time.Now().Add(patience)) // The time of a pipe is that of its bubble.
	}
	return c
}

func newRawConn(t testing.TB, c net.Conn) *rawConn {
	t.Cleanup(func() { c.Close() })
	return &rawConn{Conn: c, t: t, br: bufio.NewReader(c)}
}

// send writes text as it is.
func (c *rawConn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send %q: %v", text, err)
	}
}

// get sends a GET request.
func (c *rawConn) get(path string) {
	c.t.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

// reply reads a response to method.
func (c *rawConn) reply(method string) reply {
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp, string(b), err}
}

// discard reads what the server sends, in the background until it closes.
func (c *rawConn) discard() { go io.Copy(io.Discard, c.br) }

// drip sends text every now and then until the server closes the connection.
func (c *rawConn) drip(text string, every time.Duration) {
	c.discard()
	drip(c.t, every, func() error {
		_, err := io.WriteString(c, text)
		return err
	})
}

// drip calls send every now and then until it fails. The test does not end before.
func drip(t testing.TB, every time.Duration, send func() error) {
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for send() == nil {
			time.Sleep(every)
		}
	}()
}

// waitClosed waits for the server to close the connection and checks that it
// said nothing more.
func (c *rawConn) waitClosed() {
	c.t.Helper()
	b, err := io.ReadAll(c.br)
	if len(b) > 0 {
		c.t.Errorf("connection: got %q, want it closed", b)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("connection is still open: %v", err)
	}
}

// onPipe is a setting: serve on a pipeListener.
func onPipe(_ *http.Server, cfg *fxshutdown.Config) { cfg.Listener = newPipeListener() }

// idleGrace is a setting.
func idleGrace(d time.Duration) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { cfg.IdleGrace = d }
}

// config is a setting.
func config(set func(*fxshutdown.Config)) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { set(cfg) }
}

// hello is a handler that answers at once.
func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }

// A gate is a handler that says when it was entered and answers when it is told.
// Tests defer open, since the server's account is checked when all handlers
// have returned.
type gate struct {
	entered chan struct{}
	leave   chan struct{}
	once    sync.Once
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 1024), leave: make(chan struct{})}
}

// open lets all requests be answered.
func (g *gate) open() { g.once.Do(func() { close(g.leave) }) }

// ServeHTTP answers "/quick" at once, and others when the gate is open.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/quick" {
		g.entered <- struct{}{}
		<-g.leave
	}
	hello(w, r)
}

// waitEntered waits for n requests to be at the gate.
func (g *gate) waitEntered(t testing.TB, n int) {
	t.Helper()
	for range n {
		receive(t, "the handler", g.entered)
	}
}

// syncGoexit ends the goroutine that calls it.
func syncGoexit() { runtime.Goexit() }
