package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// counts says what became of the requests.
type counts struct{ ok, lost, refused, behind int64 }

func (c *counts) add(d counts) {
	c.ok += d.ok
	c.lost += d.lost
	c.refused += d.refused
	c.behind += d.behind
}

// load is what the clients of one round share.
type load struct {
	t       *target
	grace   time.Duration // IdleGrace
	stopped chan struct{} // closed when the stop has returned: clients end
	stopAt  atomic.Int64  // unix nanoseconds of the beginning of the stop

	mu     sync.Mutex // guards what follows
	counts counts
	losses []string
}

func (l *load) over() bool {
	select {
	case <-l.stopped:
		return true
	default:
		return false
	}
}

// awaitAnswers waits until the load is under way.
func (l *load) awaitAnswers(n int) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		ok := l.counts.ok
		l.mu.Unlock()
		if ok >= int64(n) {
			return
		}
	}
}

func (l *load) count(c counts) {
	l.mu.Lock()
	l.counts.add(c)
	l.mu.Unlock()
}

// lose counts a lost request and remembers when it was written.
func (l *load) lose(what string, written time.Time, err error) {
	since := "before the stop"
	if at := l.stopAt.Load(); at != 0 {
		since = fmt.Sprintf("written %v after the stop began, noticed %v after",
			written.Sub(time.Unix(0, at)), time.Since(time.Unix(0, at)))
	}
	l.mu.Lock()
	l.counts.lost++
	l.losses = append(l.losses, fmt.Sprintf("%s: %v (%s)", what, err, since))
	l.mu.Unlock()
}

func (l *load) dial() (net.Conn, error) {
	// A handshake that the listener ignores is sent again after a second; whoever
	// is dialling when the stop is over need not wait for its refusal.
	//lint:ignore SA1019 a channel is what there is to cancel by
	d := net.Dialer{Timeout: 5 * time.Second, Cancel: l.stopped}
	c, err := d.Dial("tcp", l.t.addr)
	if err != nil || !l.t.tls {
		return c, err
	}
	tc := tls.Client(c, &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"http/1.1"}})
	tc.SetDeadline(time.Now().Add(5 * time.Second))
	if err := tc.Handshake(); err != nil {
		c.Close()
		return nil, err // no request was sent
	}
	tc.SetDeadline(time.Time{})
	return tc, nil
}

// request is one request of a raw client.
type request struct {
	header string // further lines, each with its CRLF
	body   []byte
	expect bool
}

func (r request) head() []byte {
	h := fmt.Sprintf("POST / HTTP/1.1\r\nHost: soak\r\nContent-Length: %d\r\n%s", len(r.body), r.header)
	if r.expect {
		h += "Expect: 100-continue\r\n"
	}
	return []byte(h + "\r\n")
}

var small = request{body: []byte("hello")}

// rawConn is an HTTP/1 client connection that never sends anything again.
type rawConn struct {
	net.Conn
	br   *bufio.Reader
	used time.Time // when its dial began, or its last request written
}

// connect dials, and counts a refusal.
func (l *load) connect() (*rawConn, bool) {
	began := time.Now()
	c, err := l.dial()
	if err != nil {
		l.count(counts{refused: 1})
		return nil, false
	}
	return &rawConn{Conn: c, br: bufio.NewReader(c), used: began}, true
}

// overslept reports whether the server may have seen the client quiet for nearly
// IdleGrace, on a machine that has no time for it: whoever sends then may lose, as
// HTTP allows. It counts from the last request, since a client that is late to read
// its response does not know how long ago it was written.
func (c *rawConn) overslept(l *load) bool { return time.Since(c.used) > l.grace*9/10 }

// do writes a request and reads its response. more is false if the connection
// is at its end.
func (c *rawConn) do(l *load, what string, r request) (more bool) {
	if c.overslept(l) {
		return false
	}
	written := time.Now()
	c.used = written
	c.SetDeadline(written.Add(stopTimeout))
	if _, err := c.Write(append(r.head(), r.firstBody()...)); err != nil {
		l.lose(what, written, err)
		return false
	}
	if r.expect {
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil {
			l.lose(what, written, err)
			return false
		}
		if resp.StatusCode != http.StatusContinue {
			l.lose(what, written, fmt.Errorf("%s instead of 100", resp.Status))
			return false
		}
		if _, err := c.Write(r.body); err != nil {
			l.lose(what, written, err)
			return false
		}
	}
	return c.read(l, what, written)
}

func (r request) firstBody() []byte {
	if r.expect {
		return nil
	}
	return r.body
}

// read reads one response.
func (c *rawConn) read(l *load, what string, written time.Time) (more bool) {
	resp, err := http.ReadResponse(c.br, nil)
	if err == nil {
		var n int64
		if n, err = io.Copy(io.Discard, resp.Body); err != nil {
			err = fmt.Errorf("%w after %d of %d bytes, close %v", err, n, resp.ContentLength, resp.Close)
		}
	}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err != nil {
		l.lose(what, written, err)
		return false
	}
	l.count(counts{ok: 1})
	return !resp.Close
}

// keepAlive sends request after request on one connection, and dials again when
// it was told to.
func keepAlive(r request) func(*load) {
	return func(l *load) {
		for !l.over() {
			c, ok := l.connect()
			if !ok {
				return
			}
			for !l.over() && c.do(l, "keep-alive", r) {
			}
			c.Close()
		}
	}
}

// newConnection dials for each request.
func newConnection(l *load) {
	for !l.over() {
		c, ok := l.connect()
		if !ok {
			return
		}
		c.do(l, "new connection", request{header: "Connection: close\r\n", body: small.body})
		c.Close()
	}
}

// pipelined writes eight requests at a time.
func pipelined(l *load) {
	const depth = 8
	for !l.over() {
		c, ok := l.connect()
		if !ok {
			return
		}
		batch := bytes.Repeat(append(small.head(), small.body...), depth)
		for more := true; more && !l.over() && !c.overslept(l); {
			written := time.Now()
			c.used = written
			c.SetDeadline(written.Add(stopTimeout))
			if _, err := c.Write(batch); err != nil {
				l.lose("pipelined", written, err)
				break
			}
			for i := range depth {
				if more = c.read(l, "pipelined", written); !more {
					l.count(counts{behind: int64(depth - 1 - i)})
					break
				}
			}
		}
		c.Close()
	}
}

// paced pauses between requests. A connection that is closed during the pause is
// no loss; a request that was written before the close could be seen is.
func paced(pause time.Duration) func(*load) {
	return func(l *load) {
		for !l.over() {
			c, ok := l.connect()
			if !ok {
				return
			}
			for !l.over() && c.do(l, "paced", small) && c.quiet(pause) {
			}
			c.Close()
		}
	}
}

// quiet waits on the connection and reports whether it is still open then.
func (c *rawConn) quiet(d time.Duration) bool {
	c.SetReadDeadline(time.Now().Add(d))
	_, err := c.br.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// late dials, waits for the stop to begin, and sends its first request then.
func late(after time.Duration) func(*load) {
	return func(l *load) {
		c, ok := l.connect()
		if !ok {
			return
		}
		defer c.Close()
		for l.stopAt.Load() == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Until(time.Unix(0, l.stopAt.Load()).Add(after)))
		c.used = time.Now() // it has been silent on purpose
		c.do(l, "late", small)
	}
}

// http2 keeps streams busy on the connections of a client that net/http manages.
// It sends again by itself what GOAWAY refused, on a new connection.
func http2(streams int) func(*load) {
	return func(l *load) {
		tr := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: rootCAs, ServerName: "localhost"},
			ForceAttemptHTTP2: true,
		}
		defer tr.CloseIdleConnections()
		if !http2Once(l, tr) { // one connection for all streams
			return
		}
		var wg sync.WaitGroup
		for range streams {
			wg.Go(func() {
				for !l.over() && http2Once(l, tr) {
				}
			})
		}
		wg.Wait()
	}
}

func http2Once(l *load, tr *http.Transport) (more bool) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaderField: func(string, []string) { sent.Store(true) },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+l.t.addr+"/", bytes.NewReader(small.body))
	if err != nil {
		panic(err)
	}
	written := time.Now()
	resp, err := tr.RoundTrip(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	switch {
	case err == nil && resp.StatusCode == http.StatusOK:
		l.count(counts{ok: 1})
		return true
	case err == nil:
		l.lose("http2", written, errors.New(resp.Status))
	case !sent.Load(), isDial(err), strings.Contains(err.Error(), "GOAWAY"):
		l.count(counts{refused: 1})
	default:
		l.lose("http2", written, err)
	}
	return false
}

// isDial reports whether err is that of a connection that never came to be,
// such as the one on which net/http sends again what GOAWAY refused.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func sprint(v any) string { return fmt.Sprintf("%+v", v) }
