package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// hostileScenarios are about clients that would hold the stop.
var hostileScenarios = []scenario{
	// With TLS peers that read nothing, the stop does not wait for their close_notify one
	// after another.
	{"TLSReadsNothing/Idle", bubbles, tlsModes, func(t *testing.T, m mode) {
		l := newPipeListener()
		l.pipe = net.Pipe // It has no buffers: a peer that does not read blocks each write.
		s := start(t, m, hello, on(l))
		for range 3 {
			tc := tls.Client(s.socket(), &tls.Config{RootCAs: rootCAs, ServerName: "localhost", MaxVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
			if err := tc.Handshake(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		s.mustStopIn(0, bound)
		s.wantReport(account{})
	}},

	{"TLSReadsNothing/Cut", bubbles, tlsModes, func(t *testing.T, m mode) {
		s := startUnread(t, m)
		d, err := s.timeStop(10 * time.Second)
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		var aborted *fxshutdown.AbortedError
		if !errors.As(err, &aborted) || len(aborted.Requests) != 3 {
			t.Errorf("Stop() = %v, want three aborted", err)
		}
		s.wantReport(account{aborted: 3})
	}},

	{"TLSReadsNothing/Close", bubbles, allModes, func(t *testing.T, m mode) {
		s := startUnread(t, m)
		began := time.Now()
		if err := s.Close(); !errors.Is(err, fxshutdown.ErrForced) {
			t.Errorf("Close() = %v, want ErrForced", err)
		}
		took(t, "Close()", time.Since(began), 0, 100*ms)
		s.wantReport(account{aborted: 3})
	}},

	{"StalledHandshake/Nothing", bubbles, tlsModes, stalledHandshake("")},
	{"StalledHandshake/HalfHello", bubbles, tlsModes, stalledHandshake("\x16\x03\x01\x02\x00\x01")},

	// A client may send one byte of the handshake now and then.
	{"DrippingHandshake", bubbles, tlsModes, func(t *testing.T, m mode) {
		s := start(t, m, playground, onPipe)
		c := newRawConn(t, s.socket())
		c.send("\x16\x03\x01\x40\x00")
		c.drip("\x01", 50*ms)
		time.Sleep(time.Second)
		s.mustStopIn(0, bound)
	}},

	// A client may send one byte of HTTP/2's preface now and then.
	{"DrippingPreface", bubbles, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.socket()
		if m.tls {
			c = tls.Client(c, &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"h2"}})
		}
		rest := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("x", 1000))
		drip(t, 200*ms, func() error {
			_, err := c.Write(rest[:1])
			rest = rest[1:]
			return err
		})
		time.Sleep(300 * ms)
		s.mustStopIn(0, bound)
	}},

	// A handshake that is finished in time is served.
	{"LateHandshake", bubbles, []mode{https1}, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		socket := s.socket()
		synctest.Wait()
		got := make(chan reply, 1)
		time.AfterFunc(grace-10*ms, func() {
			c := newRawConn(t, tls.Client(socket, &tls.Config{RootCAs: rootCAs, ServerName: "localhost"}))
			c.get("/")
			got <- c.reply(http.MethodGet)
		})
		s.mustStopIn(grace-10*ms, bound)
		r := <-got
		r.want(t, "hello")
		r.wantClose(t, true)
		s.wantReport(account{answered: 1})
	}},

	// A client that never reads its response is aborted at the end of the budget, whether
	// its handler has returned or not.
	{"NeverReads", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, strings.Repeat("x", 100*flowSize))
		}, onPipe)
		resp, err := s.client().Get(s.url("/download"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		time.Sleep(time.Minute)
		d, err := s.timeStop(10 * time.Second)
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/download")
		s.wantReport(account{aborted: 1})
	}},

	// A client that closes its sending half still gets its response.
	{"HalfClosed", sockets, []mode{h1}, func(t *testing.T, m mode) {
		entered := make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-fxshutdown.Draining(r.Context())
			hello(w, r)
		})
		c := s.raw()
		c.get("/")
		c.Conn.(*net.TCPConn).CloseWrite()
		receive(t, "the handler", entered)
		s.mustStop()
		c.reply(http.MethodGet).want(t, "hello")
		s.wantReport(account{answered: 1})
	}},

	// A client that is gone does not hold the stop.
	{"Gone", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
			time.Sleep(100 * ms)
		}, onPipe)
		ctx, cancel := context.WithCancel(context.Background())
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url("/"), nil)
		gone := make(chan error, 1)
		c := s.client()
		go func() { _, err := c.Do(req); gone <- err }()
		<-entered
		cancel()
		<-gone
		c.CloseIdleConnections()
		synctest.Wait()
		s.mustStopIn(0, bound)
	}},
}

// startUnread starts a server that has been sending endless responses for a minute, to
// three clients that read nothing of them.
func startUnread(t *testing.T, m mode) *server {
	t.Helper()
	s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", flowSize)); err != nil {
				return
			}
		}
	}, onPipe)
	for range 3 {
		resp, err := s.client().Get(s.url("/endless"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
	}
	time.Sleep(time.Minute)
	return s
}

// stalledHandshake returns a scenario with clients that say no more than hello.
func stalledHandshake(hello string) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		s := start(t, m, playground, onPipe)
		for range 50 {
			io.WriteString(s.socket(), hello)
		}
		c := s.client()
		s.get(c, "/").want(t, "GET / false")
		time.Sleep(100 * ms)
		s.mustStopIn(0, bound)
		if r := s.wantReport(account{}); r.Connections != 51 {
			t.Errorf("Report().Connections = %d, want 51", r.Connections)
		}
	}
}
