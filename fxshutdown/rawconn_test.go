package fxshutdown_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"
)

// A rawConn is a client's connection that sends what it is told to.
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
		c.SetDeadline(time.Now().Add(patience)) // A pipe has the time of its bubble.
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

// waitClosed waits for the server to close the connection, and checks that it sent
// nothing more.
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

var dateHeader = regexp.MustCompile(`(?m)^Date: .*$`)

// wire sends text and returns everything that the server sends until it closes.
func (c *rawConn) wire(text string) string {
	c.t.Helper()
	sent := make(chan struct{})
	go func() { // The server may answer and close before it has read all.
		defer close(sent)
		io.WriteString(c, text)
	}()
	b, err := io.ReadAll(c.br)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("%q: still open after %q", text, b)
	}
	c.Close()
	<-sent
	return dateHeader.ReplaceAllString(string(b), "Date: now")
}
