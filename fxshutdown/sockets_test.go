package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// serveAndStop checks that a server serves, and drains its running requests.
func serveAndStop(t *testing.T, m mode, settings ...setting) *server {
	t.Helper()
	g := newGate()
	defer g.open()
	s := start(t, m, g.ServeHTTP, append([]setting{idleGrace(20 * time.Millisecond)}, settings...)...)
	s.get(s.client(), "/quick").want(t, "hello")
	s.states.wait(t, http.StateIdle, 1)
	got := s.goGet(s.client(), "/slow")
	g.waitEntered(t, 1)
	done := s.stopIn(patience)
	g.open()
	receive(t, "the client", got).want(t, "hello")
	wantStopped(t, done)
	s.wantReport(account{answered: 1})
	if _, err := s.dial(context.Background()); err == nil {
		t.Error("a dial after Stop: connected, want it refused")
	}
	return s
}

func TestUnixSocket(t *testing.T) {
	forSocketModes(t, "Serves", func(t *testing.T, perm fs.FileMode) {
		sockets(t, allModes, func(t *testing.T, m mode) {
			path := filepath.Join(t.TempDir(), "s")
			s := serveAndStop(t, m, unixSocket(path, perm))
			if a := s.Addr(); a.Network() != "unix" || a.String() != path {
				t.Errorf("Addr() = %v %v, want unix %s", a.Network(), a, path)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the socket's file after Stop: %v, want it gone", err)
			}
		})
	})

	// The file that a crashed process left does not keep the server from starting.
	forSocketModes(t, "StaleFile", func(t *testing.T, perm fs.FileMode) {
		sockets(t, allModes, func(t *testing.T, m mode) {
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
			serveAndStop(t, m, unixSocket(path, perm))
		})
	})

	// A file on which somebody listens keeps the server from starting, and stays theirs.
	forSocketModes(t, "BusyFile", func(t *testing.T, perm fs.FileMode) {
		path := filepath.Join(t.TempDir(), "s")
		other := start(t, h1, hello, unixSocket(path, perm))
		s := newServer(t, h1, hello, unixSocket(path, perm))
		if err := s.Start(context.Background()); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), path) {
			t.Errorf("Start() on a busy socket = %v, want EADDRINUSE and %s named", err, path)
		}
		other.get(other.client(), "/").want(t, "hello")
		other.mustStop()
		s.start()
		s.get(s.client(), "/").want(t, "hello")
	})

	// The name of an abstract socket does not name a file, even if there is one of that
	// name.
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

	// A file that is not a socket is never removed.
	forSocketModes(t, "OtherFile", func(t *testing.T, perm fs.FileMode) {
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newServer(t, h1, hello, unixSocket(path, perm))
		if err := s.Start(context.Background()); err == nil {
			t.Error("Start() on a file = nil, want an error")
		}
		if b, err := os.ReadFile(path); string(b) != "precious" {
			t.Errorf("the file = %q, %v after Start", b, err)
		}
	})
}

// A successor that has taken over the path of a unix socket keeps it.
func TestUnixSuccessor(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a socket in use cannot be removed there")
	}
	forSocketModes(t, "Keeps", func(t *testing.T, perm fs.FileMode) {
		path := filepath.Join(t.TempDir(), "socket")
		s := start(t, h1, hello, unixSocket(path, perm))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		successor, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer successor.Close()
		s.mustStop()
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the successor's socket is gone: %v", err)
		}
		c.Close()
	})
}

// forSocketModes runs a test without a SocketMode, and with one.
func forSocketModes(t *testing.T, name string, test func(*testing.T, fs.FileMode)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { test(t, 0) })
	if runtime.GOOS != "windows" { // Windows has no such modes
		t.Run(name+"/Mode", func(t *testing.T) { test(t, 0o660) })
	}
}

// A client that connects to a unix socket while it is being closed is served or refused.
func TestUnixQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	s := start(t, h1, hello, idleGrace(patience), func(srv *http.Server, cfg *fxshutdown.Config) {
		srv.Addr, cfg.Network = path, "unix"
	})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				c, err := net.Dial("unix", path)
				if err != nil {
					return // refused
				}
				raw := newRawConn(t, c)
				raw.get("/")
				raw.reply(http.MethodGet).want(t, "hello")
				c.Close()
			}
		})
	}
	s.states.wait(t, http.StateClosed, 32)
	s.mustStop()
	wg.Wait()
}

func TestNetworks(t *testing.T) {
	for name, set := range map[string]setting{
		"tcp4":    network("tcp4", "127.0.0.1:0"),
		"tcp6":    network("tcp6", "[::1]:0"),
		"IPv6":    addr("[::1]:0"),
		"Anyhost": addr(":0"),
	} {
		t.Run(name, func(t *testing.T) {
			sockets(t, allModes, func(t *testing.T, m mode) { serveAndStop(t, m, set) })
		})
	}
	t.Run("BadAddress", func(t *testing.T) {
		s := newServer(t, h1, hello, addr("no-port"))
		if err := s.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "no-port") {
			t.Errorf("Start() = %v, want an error that names no-port", err)
		}
	})
}

// The TLS certificate may come from GetCertificate; without any, Start fails.
func TestTLSConfig(t *testing.T) {
	t.Run("GetCertificate", func(t *testing.T) {
		sockets(t, tlsModes, func(t *testing.T, m mode) {
			serveAndStop(t, m, func(srv *http.Server, _ *fxshutdown.Config) {
				srv.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }}
			})
		})
	})
	t.Run("GetConfigForClient", func(t *testing.T) {
		sockets(t, tlsModes, func(t *testing.T, m mode) {
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
