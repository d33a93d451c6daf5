package fxshutdown

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Draining returns a channel that is closed when the connection that carries the request
// of ctx is told to go, at the latest when the drain of its server begins. It also marks
// that request as a stream. ctx is the context of a request, or one derived from it.
// Draining is for handlers that do not end on their own: server-sent events, long polls,
// WebSockets.
//
// A stream that has flushed part of its response, and still does not end before the
// stop's time is over, is reported, but is not an error. Other requests on an HTTP/2
// connection are not affected.
//
// A handler that cannot ask for Draining, such as that of a proxy or a library, can be
// wrapped in [EndOnDrain].
//
// Given the context of a connection (http.Server.ConnContext), Draining returns the
// channel and marks nothing. For any other context it returns nil, which blocks forever
// in a select.
func Draining(ctx context.Context) <-chan struct{} {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	if x != nil {
		return x.draining()
	}
	c, _ := ctx.Value(connKey{}).(*conn)
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.toldLocked()
}

// exchange is a running request: its place in the account, its context and, if we know
// the protocol, its ResponseWriter. It is the only allocation that a request costs.
type exchange struct {
	rw  http.ResponseWriter // net/http's
	ctx context.Context     // net/http's

	conn   *conn
	method *string // copies: the handler may change its request
	path   string
	start  moment

	// written is how many bytes the response's body has, less those that its header
	// declares. It is used only by the handler's goroutine, like header and response.
	written int64

	next *exchange // in account.running; guarded by conn.mu

	header   headerState  // how far the response's header has come
	response responseBits // what is known of the response

	// Guarded by conn.mu.
	bodyOpen  bool // the body of an HTTP/2 request has not been read to its end yet
	flushed   bool
	noticed   drainNotice
	cancelled bool // by the stop
	aborted   bool
	hijacked  bool
}

// responseBits is what is known about a response. It is complete, and read by others,
// once the handler has returned.
type responseBits uint8

const (
	toldToClose responseBits = 1 << iota // it says close
	withoutBody                          // HTTP allows it none, or its bytes are not counted
	writeFailed
	headerUsed // by the handler; net/http copies the header for whoever asks for it
)

func (x *exchange) saidClose() bool { return x.response&toldToClose != 0 }

// isShort reports whether the body of the response has fewer bytes than its header
// declares: net/http ends it by closing the connection, or by resetting the stream.
func (x *exchange) isShort() bool {
	return x.written < 0 && x.response&withoutBody == 0 && *x.method != http.MethodHead
}

// noteDeclared notes the declared length of the body.
func (x *exchange) noteDeclared(h http.Header) {
	if declared := h["Content-Length"]; len(declared) > 0 {
		if n, err := strconv.ParseInt(declared[0], 10, 64); err == nil {
			x.written = -n
		}
	}
}

// methods are the methods that an exchange need not copy, the frequent ones first.
var methods = [...]string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodHead, http.MethodDelete,
	http.MethodPatch, http.MethodOptions, http.MethodConnect, http.MethodTrace,
}

// methodOf returns a pointer to a copy of the method, which is half as large as a
// string: an exchange is full.
func methodOf(name string) *string {
	for i := range methods {
		if methods[i] == name {
			return &methods[i]
		}
	}
	other := new(string) // not &name, which would be allocated at each call
	*other = name
	return other
}

// keptMethod is kept for methods, most of which need no memory of their own.
func keptMethod(m *string) string {
	for i := range methods {
		if m == &methods[i] {
			return methods[i]
		}
	}
	return kept(*m)
}

type exchangeKey struct{}

// requestContext is an exchange as the context of its request, so that Draining finds the
// request that asks, through any contexts derived from it.
type requestContext exchange

func (r *requestContext) Deadline() (time.Time, bool) { return r.ctx.Deadline() }
func (r *requestContext) Done() <-chan struct{}       { return r.ctx.Done() }
func (r *requestContext) Err() error                  { return r.ctx.Err() }

func (r *requestContext) Value(key any) any {
	switch key {
	case exchangeKey{}:
		return (*exchange)(r)
	case http.ServerContextKey:
		return r.conn.set.given // HTTP/2 would name the server of its connection
	}
	return r.ctx.Value(key)
}

// cancellable is net/http's context of a request that the keeper may have to end. Each
// request has its own: the next one on the connection must not begin cancelled.
type cancellable struct {
	context.Context
	cancel context.CancelCauseFunc
}

// cancelsLocked returns the functions that cancel the contexts of the running requests.
func (c *conn) cancelsLocked() (cancels []context.CancelCauseFunc) {
	for x := c.running; x != nil; x = x.next {
		if cc, ok := x.ctx.(*cancellable); ok {
			cancels = append(cancels, cc.cancel)
		}
	}
	return cancels
}

// draining marks the request as one whose handler knows of the drain.
func (x *exchange) draining() <-chan struct{} {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	x.noticed = max(x.noticed, asksForDraining)
	if x.hijacked {
		c.takeover.followLocked(x)
	}
	return c.toldLocked()
}

// streams reports whether the response is a stream that was told to end. The
// caller holds conn.mu.
func (x *exchange) streams() bool {
	return x.flushed && x.noticed == asksForDraining || x.noticed >= endsOnDrain
}

// requestServer is what serves the requests of a Server.
type requestServer struct{ given *http.Server }

// ServeHTTP is the handler of the serving server.
func (s *requestServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, _ := r.Context().Value(connKey{}).(*conn)
	if c == nil {
		// The user's TLSNextProto has made a context of its own.
		s.handler(r).ServeHTTP(w, r)
		return
	}
	x, w := newExchange(c, w, r)
	if c.set.limits.grace > 0 {
		ctx, cancel := context.WithCancelCause(x.ctx)
		x.ctx = &cancellable{ctx, cancel}
		defer cancel(nil)
	}
	if !c.begin(x, r.ProtoMajor) {
		panic(http.ErrAbortHandler) // the stop has cut the connection already
	}
	// In place, so that the copy stays on the stack and r is what net/http gave.
	*r = *r.WithContext((*requestContext)(x))
	returned := false
	defer func() { c.end(x, returned) }()
	s.handler(r).ServeHTTP(w, r)
	x.tellClose()
	returned = true
}

// handler asks the given server for its Handler at each request, since it may be set
// late.
func (s *requestServer) handler(r *http.Request) http.Handler {
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
