package fxshutdown

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A ResponseWriter must have exactly the interfaces of net/http's own: code that looks
// for an http.Hijacker must not find one on HTTP/2.

// http1Writer is the ResponseWriter of an HTTP/1 request.
type http1Writer struct{ exchange }

// http2Writer is the ResponseWriter of an HTTP/2 request, and the request's body.
type http2Writer struct {
	exchange
	body io.ReadCloser
}

var (
	_ interface {
		http.ResponseWriter
		http.Flusher
		http.Hijacker
		http.CloseNotifier //lint:ignore SA1019 net/http's writer is one, so ours is
		io.StringWriter
		io.ReaderFrom
	} = (*http1Writer)(nil)
	_ interface {
		http.ResponseWriter
		http.Flusher
		http.Pusher
		http.CloseNotifier //lint:ignore SA1019 net/http's writer is one, so ours is
		io.StringWriter
	} = (*http2Writer)(nil)
)

// newExchange wraps w according to what it can do. A writer that is neither net/http's
// HTTP/1 nor its HTTP/2 writer stays as it is: its request is counted, but its response
// cannot be made to say close.
func newExchange(c *conn, w http.ResponseWriter, r *http.Request) (*exchange, http.ResponseWriter) {
	_, hijacker := w.(http.Hijacker)
	_, pusher := w.(http.Pusher)
	switch {
	case hijacker && !pusher && r.ProtoMajor == 1:
		h := new(http1Writer)
		h.exchange.set(c, w, r)
		return &h.exchange, h
	case pusher && !hijacker && r.ProtoMajor == 2:
		h := new(http2Writer)
		h.exchange.set(c, w, r)
		// Every HTTP/2 request has a Body, even if it has no body.
		if c.h2 != nil && r.Body != nil && r.ContentLength != 0 {
			h.bodyOpen, h.body = true, r.Body
			r.Body = (*http2Body)(h)
		}
		return &h.exchange, h
	}
	x := new(exchange)
	x.set(c, w, r)
	x.header, x.response = headerSettled, withoutBody
	return x, w
}

func (x *exchange) set(c *conn, w http.ResponseWriter, r *http.Request) {
	x.rw, x.ctx, x.conn = w, r.Context(), c
	x.method, x.path = methodOf(r.Method), r.URL.Path
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.rw }

func (x *exchange) Header() http.Header {
	x.response |= headerUsed
	return x.rw.Header()
}

func (x *exchange) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		// Its Connection header says upgrade.
	case status >= 200:
		x.tellClose()
	default: // informational: the header is still to come; net/http panics at others
		x.rw.WriteHeader(status)
		return
	}
	x.rw.WriteHeader(status)
	x.header = headerWritten
	if status == http.StatusNoContent || status == http.StatusNotModified {
		x.response |= withoutBody
	}
}

func (x *exchange) Write(p []byte) (int, error) {
	x.tellClose()
	x.header = headerWritten
	x.writing(+1)
	n, err := x.rw.Write(p)
	x.writing(-1)
	x.noteWritten(int64(n), err)
	return n, err
}

func (x *exchange) WriteString(s string) (int, error) {
	x.tellClose()
	x.header = headerWritten
	x.writing(+1)
	n, err := io.WriteString(x.rw, s)
	x.writing(-1)
	x.noteWritten(int64(n), err)
	return n, err
}

// noteWritten counts what was written of the body. What net/http does not accept is the
// handler's mistake, and not a loss.
func (x *exchange) noteWritten(n int64, err error) {
	x.written += n
	if err != nil && err != http.ErrContentLength && err != http.ErrBodyNotAllowed {
		x.response |= writeFailed
	}
}

func (x *exchange) Flush() {
	x.noteFlush()
	x.writing(+1)
	defer x.writing(-1)
	x.rw.(http.Flusher).Flush()
}

// FlushError is what http.ResponseController prefers to Flush.
func (x *exchange) FlushError() error {
	x.noteFlush()
	x.writing(+1)
	defer x.writing(-1)
	err := http.NewResponseController(x.rw).Flush()
	x.noteWritten(0, err)
	return err
}

// writing counts the handlers that wait for HTTP/2's flow control, or might.
func (x *exchange) writing(by int32) {
	if h := x.conn.h2; h != nil {
		h.writers.Add(by)
	}
}

// CloseNotify implements the deprecated http.CloseNotifier.
func (x *exchange) CloseNotify() <-chan bool {
	//lint:ignore SA1019 net/http's writer is one, so ours is
	return x.rw.(http.CloseNotifier).CloseNotify()
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for code that looks for them
// without an http.ResponseController.

func (x *exchange) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(x.rw).SetReadDeadline(t)
}

func (x *exchange) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(x.rw).SetWriteDeadline(t)
}

func (x *exchange) EnableFullDuplex() error {
	return http.NewResponseController(x.rw).EnableFullDuplex()
}

func (x *exchange) noteFlush() {
	x.tellClose()
	x.header = headerWritten
	x.conn.mu.Lock()
	x.flushed = true
	x.conn.mu.Unlock()
}

func (w *http1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.rw.(http.Hijacker).Hijack()
}

// ReadFrom preserves sendfile.
func (w *http1Writer) ReadFrom(r io.Reader) (int64, error) {
	w.tellClose()
	n, err := w.rw.(io.ReaderFrom).ReadFrom(r)
	if n > 0 { // for an empty reader net/http writes nothing, not even the header
		w.header = headerWritten
	}
	w.noteWritten(n, err)
	return n, err
}

func (w *http2Writer) Push(target string, opts *http.PushOptions) error {
	return w.rw.(http.Pusher).Push(target, opts)
}

// http2Body is an http2Writer as the body of its request. It tells when the body
// was read to its end; see http2.go.
type http2Body http2Writer

func (b *http2Body) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		b.ends()
	}
	return n, err
}

func (b *http2Body) Close() error {
	b.ends()
	return b.body.Close()
}

func (b *http2Body) ends() {
	c := b.exchange.conn
	c.mu.Lock()
	c.bodyEndsLocked(&b.exchange)
	c.mu.Unlock()
}

// closeAlone is shared by responses: its capacity allows no append in place.
var closeAlone = []string{"close"}

// tellClose is called before the header is written. Once the connection has retired, it
// makes the response say "Connection: close", so that the client does not send its next
// request here.
func (x *exchange) tellClose() {
	if x.header != headerOpen {
		return
	}
	x.header = headerSettled
	if x.response&headerUsed != 0 {
		x.noteDeclared(x.rw.Header())
	}
	if !x.conn.retired.Load() || x.conn.sendsGoAway() {
		return
	}
	x.response |= toldToClose
	h := x.rw.Header()
	if h["Connection"] == nil {
		h["Connection"] = closeAlone
		return
	}
	// net/http looks only at the first value. Others, such as the "Upgrade" of a 426,
	// keep their meaning.
	values := []string{"close"}
	for _, list := range h["Connection"] {
		for option := range strings.SplitSeq(list, ",") {
			option = strings.Trim(option, " \t")
			if option != "" && !strings.EqualFold(option, "close") && !strings.EqualFold(option, "keep-alive") {
				values = append(values, option)
			}
		}
	}
	h["Connection"] = values
}
