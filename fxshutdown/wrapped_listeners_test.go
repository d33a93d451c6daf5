package fxshutdown_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestPipeListener serves on net.Pipe, which is nothing like TCP.
func TestPipeListener(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		l := newPipeListener()
		l.pipe = net.Pipe
		s := serveAndStop(t, m, on(l))
		if s.Addr() != l.Addr() {
			t.Errorf("Addr() = %v, want that of the listener", s.Addr())
		}
	})
}

// A proxyConn speaks the PROXY protocol, version 1, in the manner of the libraries for
// it: the first caller that asks for the client's address, or reads, reads the line in
// which the proxy names it.
type proxyConn struct {
	net.Conn
	br     *bufio.Reader
	once   sync.Once
	client proxiedAddr
	err    error
}

type proxiedAddr string

func (proxiedAddr) Network() string  { return "tcp" }
func (a proxiedAddr) String() string { return string(a) }

func (c *proxyConn) readLine() {
	c.once.Do(func() {
		var line string
		if line, c.err = c.br.ReadString('\n'); c.err == nil {
			c.client = proxiedAddr(strings.TrimSpace(strings.TrimPrefix(line, "PROXY ")))
		}
	})
}

func (c *proxyConn) RemoteAddr() net.Addr {
	c.readLine()
	return c.client
}

func (c *proxyConn) Read(p []byte) (int, error) {
	if c.readLine(); c.err != nil {
		return 0, c.err
	}
	return c.br.Read(p)
}

// A proxyListener accepts proxyConns.
type proxyListener struct{ *pipeListener }

func (l proxyListener) Accept() (net.Conn, error) {
	c, err := l.pipeListener.Accept()
	if err != nil {
		return nil, err
	}
	return &proxyConn{Conn: c, br: bufio.NewReader(c)}, nil
}

// TestProxyProtocol serves connections that read on their own, and block in RemoteAddr
// until they have read.
func TestProxyProtocol(t *testing.T) {
	t.Run("Serves", func(t *testing.T) {
		bubbles(t, []mode{h1}, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) },
				on(proxyListener{newPipeListener()}))
			c := s.raw()
			c.send("PROXY 192.0.2.1:1234\r\n")
			c.get("/")
			c.reply(http.MethodGet).want(t, "192.0.2.1:1234")
			time.Sleep(time.Minute)
			s.mustStopIn(0, atOnce)
		})
	})

	// A connection whose proxy never sends anything does not hold the stop.
	t.Run("Silent", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, on(proxyListener{newPipeListener()}))
			for range 5 {
				s.socket()
			}
			s.states.wait(t, http.StateNew, 5)
			s.mustStopIn(grace, bound)
		})
	})

	// A connection whose line comes with a request while the stop waits is not dropped.
	t.Run("Late", func(t *testing.T) {
		bubbles(t, []mode{h1}, func(t *testing.T, m mode) {
			s := start(t, m, hello, on(proxyListener{newPipeListener()}))
			c := s.raw()
			s.states.wait(t, http.StateNew, 1)
			done := s.stopIn(time.Hour)
			time.Sleep(grace - 10*ms)
			c.send("PROXY 192.0.2.1:1234\r\n")
			time.Sleep(grace - 10*ms)
			c.get("/")
			c.reply(http.MethodGet).want(t, "hello")
			if err := <-done; err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})
}

// The age of a request counts from its header, even if the connection is read without the
// wrapper.
func TestTLSListenerAge(t *testing.T) {
	bubbles(t, tlsModes, func(t *testing.T, m mode) {
		l := newPipeListener()
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, on(struct {
			net.Listener
			dialer
		}{tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}), l}),
			func(srv *http.Server, cfg *fxshutdown.Config) { srv.TLSConfig, cfg.TLS = nil, false })
		c := s.client()
		s.get(c, "/quick").want(t, "hello")
		time.Sleep(time.Minute)
		s.goGet(c, "/slow")
		g.waitEntered(t, 1)
		_, err := s.timeStop(10 * time.Second)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/slow")
		for _, r := range s.wantReport(account{aborted: 1}).AbortedRequests {
			took(t, "the request", r.Age, 8*time.Second, 10*time.Second)
		}
	})
}

// Hijacked connections behind tls.NewListener close without the wrapper: they are
// forgotten when their handlers have returned.
func TestTLSListenerHijack(t *testing.T) {
	sockets(t, []mode{https1}, func(t *testing.T, m mode) {
		l := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{certificate}})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
		}, on(l), func(srv *http.Server, cfg *fxshutdown.Config) { srv.TLSConfig, cfg.TLS = nil, false })
		for range 10 {
			s.get(s.client(), "/").want(t, "hello")
		}
		eventually(t, "the connections are forgotten", func() bool { return s.Stats().Open() == 0 })
		s.mustStop()
		s.wantReport(account{})
	})
}

// A statedListener returns connections that speak TLS but are not a *tls.Conn.
type statedListener struct{ net.Listener }

type statedConn struct{ *tls.Conn }

func (l statedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return statedConn{c.(*tls.Conn)}, nil
}

// net/http asks such a connection for its TLS state.
func TestConnectionState(t *testing.T) {
	l := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{certificate}})
	var seen atomic.Value
	s := start(t, https1, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS != nil) },
		on(statedListener{l}), func(srv *http.Server, cfg *fxshutdown.Config) {
			srv.TLSConfig, cfg.TLS = nil, false
			srv.ConnState = func(c net.Conn, _ http.ConnState) { seen.Store(fmt.Sprintf("%T", c)) }
		})
	s.get(s.client(), "/").want(t, "true")
	if got, want := seen.Load(), fmt.Sprintf("%T", statedConn{}); got != want {
		t.Errorf("ConnState got a %v, want the %s that Accept returned", got, want)
	}
	s.states.wait(t, http.StateIdle, 1)
	s.mustStop()
	s.wantReport(account{})
}

// oddTimeouts is a connection whose reads end at a deadline with an error of its own.
type oddTimeouts struct{ net.Conn }

type oddTimeout struct{ error }

func (oddTimeout) Timeout() bool   { return true }
func (oddTimeout) Temporary() bool { return true }

func (c oddTimeouts) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = oddTimeout{errors.New("out of time")}
	}
	return n, err
}

func TestOddTimeouts(t *testing.T) {
	bubbles(t, h1Modes, func(t *testing.T, m mode) {
		l := newPipeListener()
		l.pipe = func() (client, server net.Conn) {
			client, server = newPipe()
			return client, oddTimeouts{server}
		}
		s := start(t, m, hello, on(l))
		s.get(s.client(), "/").want(t, "hello")
		time.Sleep(time.Minute)
		s.mustStopIn(0, atOnce)
		if r := s.wantReport(account{}); r.IdleClosed != 1 {
			t.Errorf("Report() = %+v, want one dropped", r)
		}
	})
}
