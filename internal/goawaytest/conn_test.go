package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"
)

// h2c returns a client that speaks HTTP/2 in plain text.
func h2c(t testing.TB) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// startTest starts a server and returns its URL, and a function that stops it.
func startTest(t testing.TB, p policy, h http.Handler) (s *server, url string, stop func()) {
	t.Helper()
	s, err := start(p, nil, h)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), stopMost)
		defer cancel()
		s.stop(ctx)
	}
	t.Cleanup(stop)
	return s, "http://" + s.addr.String() + "/", stop
}

func post(c *http.Client, url string, body io.Reader, trace *httptrace.ClientTrace) error {
	ctx := httptrace.WithClientTrace(context.Background(), trace)
	req, err := http.NewRequestWithContext(ctx, "POST", url, body)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// holding is a policy whose connections hold until they have no streams.
func holding(held chan<- struct{}) policy {
	return policy{"holding", "", func(c *conn) {
		c.hold()
		close(held)
		c.awaitQuiet(gap, stopMost)
		c.goAwayHeld()
	}}
}

// A request that is sent to a connection that holds is refused, and the one that
// runs is answered.
func TestHoldRefuses(t *testing.T) {
	held, running, finish := make(chan struct{}), make(chan struct{}), make(chan struct{})
	seen := make(chan string, 2)
	_, url, stop := startTest(t, holding(held), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		seen <- r.URL.Path
		close(running)
		<-finish
	}))
	c := h2c(t)
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- post(c, url+"first", strings.NewReader("x"), &httptrace.ClientTrace{}) }()
	<-running
	go stop()
	<-held
	sent := make(chan struct{}, 2)
	go func() {
		second <- post(c, url+"second", strings.NewReader("x"), &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { sent <- struct{}{} },
		})
	}()
	<-sent
	close(finish)
	if err := <-first; err != nil {
		t.Errorf("the running request: %v", err)
	}
	// Go's client tries a request that was refused again, and cannot dial.
	if err := <-second; err == nil || !strings.Contains(err.Error(), "connect") {
		t.Errorf("the request to a connection that holds: %v, want an error of the dial", err)
	}
	close(seen)
	for path := range seen {
		if path != "/first" {
			t.Errorf("a handler saw %s", path)
		}
	}
}

// The rest of a running request's body is read all the same.
func TestHoldReadsBodies(t *testing.T) {
	held, running := make(chan struct{}), make(chan struct{})
	_, url, stop := startTest(t, holding(held), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(running)
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, n, err)
	}))
	body, rest := io.Pipe()
	result := make(chan error, 1)
	go func() { result <- post(h2c(t), url, body, &httptrace.ClientTrace{}) }()
	<-running
	begun := time.Now()
	go stop()
	<-held
	io.Copy(rest, strings.NewReader(strings.Repeat("x", 1<<20)))
	rest.Close()
	if err := <-result; err != nil {
		t.Errorf("the upload: %v", err)
	}
	if took := time.Since(begun); took > stopMost/2 {
		t.Errorf("the upload took %v", took)
	}
}

// GOAWAY for one connection leaves the others alone.
func TestGoAwayIsForOne(t *testing.T) {
	s, url, _ := startTest(t, policies[2], http.NotFoundHandler())
	used := func(c *http.Client) (addr string, reused bool) {
		t.Helper()
		err := post(c, url, strings.NewReader("x"), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			addr, reused = i.Conn.LocalAddr().String(), i.Reused
		}})
		if err != nil {
			t.Fatal(err)
		}
		return addr, reused
	}
	going, staying := h2c(t), h2c(t)
	addr, _ := used(going)
	used(staying)

	target := s.find(addr)
	target.goAway()
	awaitClosed(t, target)
	if _, reused := used(staying); !reused {
		t.Error("the other connection has gone too")
	}
	if _, reused := used(going); reused {
		t.Error("the connection that was told to go is used on")
	}
}

// A connection that was told before it spoke HTTP/2 sends GOAWAY when it does.
func TestGoAwayBeforeHTTP2(t *testing.T) {
	s, url, _ := startTest(t, policies[2], http.NotFoundHandler())
	var target *conn
	c := h2c(t)
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		// A connection that is dialled later and served has been accepted later.
		if err := post(h2c(t), url, strings.NewReader("x"), &httptrace.ClientTrace{}); err != nil {
			return nil, err
		}
		target = s.find(nc.LocalAddr().String())
		target.goAway()
		return nc, nil
	}
	if err := post(c, url, strings.NewReader("x"), &httptrace.ClientTrace{}); err != nil {
		t.Logf("the request: %v", err) // GOAWAY may have been first
	}
	awaitClosed(t, target)
}

// find returns the connection with that remote address.
func (s *server) find(addr string) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.RemoteAddr().String() == addr {
			return c
		}
	}
	return nil
}

// awaitClosed waits until net/http has closed the connection.
func awaitClosed(t *testing.T, c *conn) {
	t.Helper()
	limit := time.After(5 * time.Second)
	for {
		c.mu.Lock()
		closed, changed := c.closed, c.changed
		c.mu.Unlock()
		if closed {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatal("the connection is still open")
		}
	}
}
