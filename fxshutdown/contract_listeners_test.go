package fxshutdown_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// serveAndStop checks that a server serves, and drains what runs.
func serveAndStop(t *testing.T, m mode, settings ...setting) *server {
	t.Helper()
	g := newGate()
	defer g.open()
	s := start(t, m, g.ServeHTTP, settings...)
	s.get(s.client(), "/quick").want(t, "hello")
	s.states.wait(t, http.StateIdle, 1)
	got := s.goGet(s.client(), "/slow")
	g.waitEntered(t, 1)
	done := s.stopIn(patience)
	g.open()
	receive(t, "the client", got).want(t, "hello")
	if err := receive(t, "Stop()", done); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	s.wantReport(account{answered: 1})
	if _, err := s.dial(context.Background()); err == nil {
		t.Error("a dial after Stop: connected, want it refused")
	}
	return s
}

func TestUnixSocket(t *testing.T) {
	t.Run("Serves", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			path := filepath.Join(t.TempDir(), "s")
			s := serveAndStop(t, m, network("unix", path))
			if a := s.Addr(); a.Network() != "unix" || a.String() != path {
				t.Errorf("Addr() = %v %v, want unix %s", a.Network(), a, path)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket's file after Stop: %v, want it gone", err)
			}
		})
	})

	// The file that a crashed process left is no reason not to start.
	t.Run("StaleFile", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			path := filepath.Join(t.TempDir(), "s")
			crashed, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			crashed.(*net.UnixListener).SetUnlinkOnClose(false)
			crashed.Close()
			if _, err := os.Lstat(path); err != nil {
				t.Fatal(err)
			}
			serveAndStop(t, m, network("unix", path))
		})
	})

	// One that somebody listens on is, and stays theirs.
	t.Run("BusyFile", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		other := start(t, h1, hello, network("unix", path))
		s := newServer(t, h1, hello, network("unix", path))
		if err := s.Start(context.Background()); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), path) {
			t.Errorf("Start() on a busy socket = %v, want EADDRINUSE and %s named", err, path)
		}
		other.get(other.client(), "/").want(t, "hello")
		other.mustStop()
		s.start()
		s.get(s.client(), "/").want(t, "hello")
	})

	// The name of an abstract socket is no file's, even if there is one of that name.
	t.Run("AbstractName", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("abstract names are Linux's")
		}
		t.Chdir(t.TempDir())
		name := fmt.Sprintf("@fxshutdown-test-%d", os.Getpid())
		if err := os.WriteFile(name, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		serveAndStop(t, h1, network("unix", name))
		if b, err := os.ReadFile(name); string(b) != "precious" {
			t.Errorf("the file = %q, %v after Stop", b, err)
		}
	})

	// A file that is no socket is never removed.
	t.Run("OtherFile", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newServer(t, h1, hello, network("unix", path))
		if err := s.Start(context.Background()); err == nil {
			t.Error("Start() on a file = nil, want an error")
		}
		if b, err := os.ReadFile(path); string(b) != "precious" {
			t.Errorf("the file = %q, %v after Start", b, err)
		}
	})
}

func TestNetworks(t *testing.T) {
	for name, set := range map[string]setting{
		"tcp4":    network("tcp4", "127.0.0.1:0"),
		"tcp6":    network("tcp6", "[::1]:0"),
		"IPv6":    addr("[::1]:0"),
		"Anyhost": addr(":0"),
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, allModes, func(t *testing.T, m mode) { serveAndStop(t, m, set) })
		})
	}
	t.Run("BadAddress", func(t *testing.T) {
		s := newServer(t, h1, hello, addr("no-port"))
		if err := s.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "no-port") {
			t.Errorf("Start() = %v, want an error that names no-port", err)
		}
	})
}

// TestPipeListener serves on net.Pipe, which is nothing like TCP.
func TestPipeListener(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		l := newPipeListener()
		l.pipe = net.Pipe
		s := serveAndStop(t, m, on(l))
		if s.Addr() != l.Addr() {
			t.Errorf("Addr() = %v, want that of the listener", s.Addr())
		}
	})
}

// A proxyConn speaks the PROXY protocol, version 1, in the manner of the libraries
// for it: whoever asks first for the client's address, or reads, reads the line in
// which the proxy says it.
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

// TestProxyProtocol serves connections that read by themselves, and block in
// RemoteAddr until they have.
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

	// One that never says a word does not hold the stop.
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

	// Nor is one dropped whose line comes while the stop waits, request and all.
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

// The age of a request counts from its header, also where the connection is read
// past us.
func TestTLSListenerAge(t *testing.T) {
	bubbles(t, []mode{https1, h2}, func(t *testing.T, m mode) {
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
		for _, r := range s.wantReport(account{aborted: 1}).Aborted {
			took(t, "the request", r.Age, 8*time.Second, 10*time.Second)
		}
	})
}

// Hijacked connections behind tls.NewListener close past us: they are forgotten
// when their handlers have returned.
func TestTLSListenerHijack(t *testing.T) {
	inModes(t, []mode{https1}, func(t *testing.T, m mode) {
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

// A statedListener returns connections that are no *tls.Conn and speak TLS.
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

// oddTimeouts makes connections whose reads end at a deadline with an error of
// their own.
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
		if r := s.wantReport(account{}); r.Dropped != 1 {
			t.Errorf("Report() = %+v, want one dropped", r)
		}
	})
}

// The TLS certificate may be that of GetCertificate; none at all fails Start.
func TestTLSConfig(t *testing.T) {
	t.Run("GetCertificate", func(t *testing.T) {
		inModes(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			serveAndStop(t, m, func(srv *http.Server, _ *fxshutdown.Config) {
				srv.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }}
			})
		})
	})
	t.Run("GetConfigForClient", func(t *testing.T) {
		inModes(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			serveAndStop(t, m, func(srv *http.Server, _ *fxshutdown.Config) {
				srv.TLSConfig = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
					return &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"}}, nil
				}}
			})
		})
	})
	t.Run("NoCertificate", func(t *testing.T) {
		s := newServer(t, https1, hello, func(srv *http.Server, _ *fxshutdown.Config) { srv.TLSConfig = nil })
		if err := s.Start(context.Background()); err == nil {
			t.Error("Start() with TLS and no certificate = nil")
		}
	})
}

// TestManyCycles starts, loads, stops or forces servers at once: whatever
// happens, nothing hangs, and every account balances.
func TestManyCycles(t *testing.T) {
	cycles := 60
	if testing.Short() {
		cycles = 5
	}
	inModes(t, allModes, func(t *testing.T, m mode) {
		for i := range cycles {
			cycle(t, m, rand.New(rand.NewPCG(uint64(i), 0)))
		}
	})
}

// cycle is one of TestManyCycles.
func cycle(t *testing.T, m mode, random *rand.Rand) {
	t.Helper()
	s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				c.Close()
			}
		case "/wait":
			<-r.Context().Done()
		case "/panic":
			panic(http.ErrAbortHandler)
		}
		hello(w, r)
	}, idleGrace(10*ms), config(func(c *fxshutdown.Config) { c.RequestGrace = 20 * ms }))
	var clients sync.WaitGroup
	over := make(chan struct{})
	for i := range 8 {
		paths := []string{"/", "/", "/hijack", "/panic", "/"}
		clients.Go(func() {
			c := s.client()
			defer c.CloseIdleConnections()
			for n := 0; !isClosed(over); n++ {
				r := s.get(c, paths[(n+i)%len(paths)])
				if r.err != nil && isClosed(s.Draining()) {
					return // Refused, or a request that panics.
				}
			}
		})
	}
	if random.IntN(2) == 0 {
		clients.Go(func() { s.get(s.client(), "/wait") })
	}
	s.states.wait(t, http.StateActive, 1+random.IntN(20))
	const budget = 2 * time.Second
	end := []func() error{
		func() error { _, err := s.timeStop(budget); return err },
		s.Close,
		func() error { return s.http.Shutdown(context.Background()) },
		func() error { go s.Stop(context.Background()); return s.Close() },
	}[random.IntN(4)]
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- end() }()
	err := receive(t, "the stop", done)
	took(t, "the stop", time.Since(began), 0, budget+slack)
	var aborted *fxshutdown.AbortedError
	if err != nil && !errors.As(err, &aborted) {
		t.Errorf("the stop = %v, want nil or an *AbortedError", err)
	}
	close(over)
	clients.Wait()
	receive(t, "Done()", s.Done())
	s.calls.wait(t)
}

// TestRestartPort checks that a stopped server's port is free at once.
func TestRestartPort(t *testing.T) {
	first := start(t, h1, hello)
	first.get(first.client(), "/").want(t, "hello")
	at := first.Addr().String()
	first.mustStop()
	second := start(t, h1, hello, addr(at))
	second.get(second.client(), "/").want(t, "hello")
	second.mustStop()
}

// TestTwoServers stops one server while another starts and serves, with the
// same handler.
func TestTwoServers(t *testing.T) {
	inModes(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		first := start(t, m, g.ServeHTTP)
		got := first.goGet(first.client(), "/slow")
		g.waitEntered(t, 1)
		done := first.stopIn(patience)
		second := start(t, m, hello)
		second.get(second.client(), "/").want(t, "hello")
		if isClosed(second.Draining()) {
			t.Error("the stop of one server began the drain of another")
		}
		g.open()
		receive(t, "the client", got).want(t, "hello")
		if err := receive(t, "Stop()", done); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		second.mustStop()
	})
}

// TestBusyClients posts in closed loops while the server stops: each request
// that was written is answered, unless the connection was refused.
func TestBusyClients(t *testing.T) {
	t.Run("KeepAlive", func(t *testing.T) { busyClients(t, false) })
	t.Run("NewConnection", func(t *testing.T) { busyClients(t, true) })
}

func busyClients(t *testing.T, newConnection bool) {
	rounds := 8
	if testing.Short() {
		rounds = 1
	}
	inModes(t, h1Modes, func(t *testing.T, m mode) {
		for range rounds {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				fmt.Fprint(w, string(b), err)
			})
			const n = 32
			var clients sync.WaitGroup
			warm := make(chan struct{}, n)
			for range n {
				clients.Go(func() {
					c := s.client()
					c.Transport.(*http.Transport).DisableKeepAlives = newConnection
					defer c.CloseIdleConnections()
					for i := 0; ; i++ {
						written := false
						ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
							WroteHeaders: func() { written = true },
						})
						req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url("/"), strings.NewReader("body"))
						if err != nil {
							t.Error(err)
							return
						}
						r := exchange(c, req)
						if r.err != nil {
							// What was not written is no loss.
							if written || !isClosed(s.Draining()) {
								t.Errorf("lost: %v", r.err)
							}
							return
						}
						r.want(t, "body<nil>")
						if i == 3 {
							warm <- struct{}{}
						}
					}
				})
			}
			for range n {
				receive(t, "a busy client", warm)
			}
			s.mustStop()
			clients.Wait()
			if r := s.Report(); r.Failed+len(r.Aborted) > 0 {
				t.Errorf("Report() = %+v, want none failed or aborted", r)
			}
		}
	})
}
