package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// conn is a connection, under TLS if there is TLS. It can send GOAWAY by
// itself, as its HTTP/2 state belongs to an http.Server of its own.
type conn struct {
	net.Conn
	server      *server
	closeHeader atomic.Bool // responses say Connection: close

	mu      sync.Mutex // guards what follows
	private *http.Server
	busy    bool          // there are streams
	since   time.Time     // when that changed last
	changed chan struct{} // closed and replaced when it changes
	onIdle  func()        // called on net/http's goroutine when the last stream ends
	bodies  int           // running requests of whose body something may be missing
	gate    chan struct{} // while it is not nil, what is read is not handed on
	held    bool          // the gate is closed whenever bodies is 0
	opening bool          // the next write ends that
	told    bool          // GOAWAY was asked for
	closed  bool
}

var (
	quietLog   = log.New(io.Discard, "", 0)
	http2Alone = new(http.Protocols) // shared: net/http only reads it
)

func init() {
	http2Alone.SetHTTP2(true)
	http2Alone.SetUnencryptedHTTP2(true)
}

// configured returns an http.Server whose HTTP/2 belongs to nobody else, and what serves by
// it since Go 1.27; until then a function of its TLSNextProto does.
func configured() (*http.Server, serveConn) {
	p := &http.Server{ErrorLog: quietLog, Protocols: http2Alone}
	// Serve alone configures HTTP/2. TLSConfig stays nil, so that net/http makes one:
	// it writes into it, so one that is shared would be a race.
	l := &borrower{}
	p.Serve(l)
	return p, l.serve
}

type serveConn = func(ctx context.Context, nc net.Conn, h http.Handler, sawPreface bool, upgrade *http.Request, settings []byte)

// borrower is to Serve what golang.org/x/net/http2 is since Go 1.27, and a closed listener
// before; see http2_lent.go of the engine.
type borrower struct{ serve serveConn }

func (*borrower) Accept() (net.Conn, error)     { return nil, net.ErrClosed }
func (*borrower) Close() error                  { return nil }
func (*borrower) Addr() net.Addr                { return &net.TCPAddr{} }
func (*borrower) HTTP2Config() http.HTTP2Config { return http.HTTP2Config{} }
func (*borrower) IdleTimeout() time.Duration    { return 0 }
func (b *borrower) ServeConnFunc(f serveConn)   { b.serve = f }

// serveHTTP2 is a function for TLSNextProto.
func serveHTTP2(name string) func(*http.Server, *tls.Conn, http.Handler) {
	return func(front *http.Server, tc *tls.Conn, h http.Handler) {
		inner, outer := tc.NetConn(), net.Conn(tc)
		u, unencrypted := inner.(interface{ UnencryptedNetConn() net.Conn })
		if unencrypted {
			inner = u.UnencryptedNetConn()
			outer = inner
		}
		c := inner.(*conn)
		p, serve := configured()
		p.ConnState = func(_ net.Conn, st http.ConnState) { c.setState(st) }
		c.mu.Lock()
		c.private = p
		c.mu.Unlock()
		if serve == nil {
			p.TLSNextProto[name](p, tc, h)
			return
		}
		ctx := h.(interface{ BaseContext() context.Context }).BaseContext()
		serve(ctx, outer, h, unencrypted, nil, nil)
	}
}

// setState is the ConnState hook. net/http calls it before it flushes the frames
// that made the connection idle.
func (c *conn) setState(st http.ConnState) {
	if st != http.StateActive && st != http.StateIdle {
		return
	}
	c.mu.Lock()
	c.busy = st == http.StateActive
	c.since = time.Now()
	close(c.changed)
	c.changed = make(chan struct{})
	f := c.onIdle
	if c.told {
		f = c.goAway // it was in its handshake then, and had nothing to send GOAWAY by
	}
	c.mu.Unlock()
	if st == http.StateIdle && f != nil {
		f()
	}
}

// goAway sends GOAWAY unless that was done. net/http queues it from a goroutine.
func (c *conn) goAway() {
	c.mu.Lock()
	p := c.private
	c.told = true
	c.mu.Unlock()
	if p != nil {
		p.Shutdown(context.Background())
	}
}

// goAwayWhenIdle makes net/http write GOAWAY right after the END_STREAM that leaves the
// connection without streams.
func (c *conn) goAwayWhenIdle() {
	c.mu.Lock()
	p := c.private
	c.mu.Unlock()
	if p != nil {
		p.SetKeepAlivesEnabled(false)
	}
}

// awaitQuiet waits until the connection has had no streams for quiet, but no
// longer than limit. It reports whether the connection is quiet.
func (c *conn) awaitQuiet(quiet, limit time.Duration) bool {
	end := time.NewTimer(limit)
	defer end.Stop()
	for {
		c.mu.Lock()
		busy, closed, changed := c.busy, c.closed, c.changed
		left := quiet - time.Since(c.since)
		c.mu.Unlock()
		if closed || !busy && left <= 0 {
			return true
		}
		if busy {
			left = time.Hour
		}
		wait := time.NewTimer(left)
		select {
		case <-changed:
		case <-wait.C:
		case <-end.C:
			wait.Stop()
			return false
		}
		wait.Stop()
	}
}

// awaitBusyOrQuiet waits until a connection without streams has one, or has had
// none for quietFor.
func (c *conn) awaitBusyOrQuiet() {
	for {
		c.mu.Lock()
		busy, closed, changed := c.busy, c.closed, c.changed
		left := quietFor - time.Since(c.since)
		c.mu.Unlock()
		if busy || closed || left <= 0 {
			return
		}
		select {
		case <-changed:
		case <-time.After(left):
		}
	}
}

// hold makes Read keep what it reads, except for the rest of running requests.
func (c *conn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = !c.closed && !c.told
	c.gateLocked()
}

// goAwayHeld sends GOAWAY; once it is written Read hands on what it has.
func (c *conn) goAwayHeld() {
	c.mu.Lock()
	c.opening = true
	c.mu.Unlock()
	c.goAway()
}

// release makes Read hand on what it has.
func (c *conn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held, c.opening = false, false
	c.gateLocked()
}

// addBodies counts the requests that need to be read on.
func (c *conn) addBodies(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bodies += n
	c.gateLocked()
}

func (c *conn) gateLocked() {
	shut := c.held && c.bodies == 0
	switch {
	case shut && c.gate == nil:
		c.gate = make(chan struct{})
	case !shut && c.gate != nil:
		close(c.gate)
		c.gate = nil
	}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for {
		c.mu.Lock()
		gate := c.gate
		c.mu.Unlock()
		if gate == nil {
			return n, err
		}
		<-gate
	}
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	if c.opening {
		c.held, c.opening = false, false
		c.gateLocked()
	}
	c.mu.Unlock()
	return n, err
}

var errClosed = errors.New("closed")

func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return errClosed
	}
	c.closed, c.held = true, false
	c.gateLocked()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	err := c.Conn.Close()
	c.server.forget(c)
	return err
}
