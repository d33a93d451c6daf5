package fxshutdown

import (
	"context"
	"io"
	"net/http"
)

// Draining returns a channel that is closed when the drain of the server begins
// that serves ctx, the context of a request or one derived from it. It is for
// handlers that do not end by themselves: server-sent events, long polls,
// WebSockets. For any other context it returns nil, which blocks for ever.
//
// A request whose handler asked is a stream: if it has flushed a part of its
// response, and still does not end before the stop's time is over, it is
// reported, but is no error.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(connKey{}).(*conn)
	if c == nil {
		return nil
	}
	c.asksDraining(ctx.Done())
	return c.srv.draining
}

// asksDraining notes that a request is one whose handler knows of the drain: the one
// whose context is over when done is closed. Other streams of an HTTP/2 connection are
// not. A context with a cancel of its own does not tell which one it is of.
func (c *conn) asksDraining(done <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for x := c.reqs; x != nil && c.h2; x = x.next {
		if x.ctx != nil && (*x.ctx).Done() == done {
			x.drainAsked = true
			return
		}
	}
	c.drainAsked = true
}

// exchange is a running request: its place in the account and, where the
// protocol is one that we know, its ResponseWriter. It is the one allocation
// that a request costs.
type exchange struct {
	http.ResponseWriter // net/http's

	conn       *conn
	method     string // copies: the handler may change its request
	path       string
	start      moment
	prev, next *exchange // in conn.reqs; guarded by conn.mu

	ctx *context.Context // of an HTTP/2 request

	committed bool // the header is out of the handler's hands; only its goroutine looks
	told      bool // the client to go; set before the handler returns, read after it
	flushed   bool // guarded by conn.mu, as are the others

	drainAsked bool
	cancelled  bool
	aborted    bool
}

// serveHTTP is the handler of the serving server.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	c, _ := r.Context().Value(connKey{}).(*conn)
	if c == nil {
		// A TLSNextProto of the user's that makes up its own contexts.
		s.handler(r).ServeHTTP(w, r)
		return
	}
	x, w := newExchange(c, w, r)
	if !c.begin(x, r.ProtoMajor) {
		panic(http.ErrAbortHandler) // the stop has cut the connection already
	}
	returned := false
	defer func() { c.end(x, returned) }()
	s.handler(r).ServeHTTP(w, r)
	x.tellClose()
	returned = true
}

// handler asks the given server at each request: it may be set late.
func (s *Server) handler(r *http.Request) http.Handler {
	if r.RequestURI == "*" && r.Method == http.MethodOptions && !s.given.DisableGeneralOptionsHandler {
		return http.HandlerFunc(generalOptions)
	}
	if h := s.given.Handler; h != nil {
		return h
	}
	return http.DefaultServeMux
}

// generalOptions answers "OPTIONS *" as net/http does. It is here, and switched
// off there, so that these requests are counted and told to close like all others.
func generalOptions(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "0")
	if r.ContentLength != 0 {
		io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 4<<10))
	}
}

// begin puts x on the account. It reports false if it is too late.
func (c *conn) begin(x *exchange, major int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut || c.removed {
		return false
	}
	c.settleLocked()
	if c.nreqs == 0 {
		c.drainAsked = false
	}
	x.cancelled = c.srv.cancelled.Load()
	if major == 1 {
		x.start = c.quiet // when its last header byte came
	} else {
		x.start = c.srv.now()
	}
	if x.next = c.reqs; x.next != nil {
		x.next.prev = x
	}
	c.reqs = x
	c.nreqs++
	return true
}

func (c *conn) end(x *exchange, returned bool) {
	c.mu.Lock()
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		c.reqs = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	}
	c.nreqs--
	switch {
	case x.aborted || c.hijacker == x:
		// Counted already.
	case returned && c.state == http.StateActive && !c.closed:
		c.settleLocked() // HTTP/2 had another one
		c.flushing = x
		if c.h2 {
			c.quiet, c.tail = c.srv.now(), true
		}
	case returned: // the client reset the stream, or went away
		c.answered++
	default:
		c.failed++
		c.endsLocked() // net/http closes an HTTP/1 connection behind a panic
	}
	if c.bypassed && c.hijacker == x {
		c.closed = true // its Close goes past us
	}
	var cancelled *Request
	if x.cancelled && !x.aborted && c.hijacker != x {
		r := c.describeLocked(x)
		cancelled = &r
	}
	gone := c.goneLocked()
	look := c.nreqs == 0 && (c.state == http.StateIdle || c.ending)
	c.mu.Unlock()

	if cancelled != nil {
		c.srv.noteCancelled(*cancelled)
	}
	if gone {
		c.srv.remove(c)
	} else if look && c.srv.isDraining.Load() {
		c.srv.drainNow().lookAt(c) // the handler of a reset stream outlived it, or panicked
	}
}
