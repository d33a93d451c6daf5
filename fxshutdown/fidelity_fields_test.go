package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestFields sets every exported field of http.Server and looks for its effect. A field
// that a new version of Go brings fails the test until somebody handles it.
func TestFields(t *testing.T) {
	set := func(f func(*http.Server)) setting { return func(srv *http.Server, _ *fxshutdown.Config) { f(srv) } }
	effects := map[string]func(*testing.T){
		"Addr": func(t *testing.T) {
			l := listen(t, "tcp", "127.0.0.1:0")
			l.Close()
			s := start(t, h1, hello, addr(l.Addr().String()))
			if got, want := s.Addr().String(), l.Addr().String(); got != want {
				t.Errorf("Addr() = %v, want %v", got, want)
			}
		},
		"Handler": func(t *testing.T) {
			s := start(t, h1, hello)
			s.get(s.client(), "/").want(t, "hello")
		},
		"DisableGeneralOptionsHandler": func(t *testing.T) {
			s := start(t, h1, playground, set(func(srv *http.Server) { srv.DisableGeneralOptionsHandler = true }))
			got := s.raw().wire("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			if !strings.Contains(got, "OPTIONS * true") {
				t.Errorf("response = %q, want the handler's", got)
			}
		},
		"TLSConfig": func(t *testing.T) {
			s := start(t, https1, hello, set(func(srv *http.Server) { srv.TLSConfig.MinVersion = tls.VersionTLS13 }))
			c := tls.Client(s.socket(), &tls.Config{RootCAs: rootCAs, ServerName: "localhost", MaxVersion: tls.VersionTLS12})
			if err := c.Handshake(); err == nil {
				t.Error("TLS 1.2 with MinVersion 1.3: connected")
			}
			s.get(s.client(), "/").want(t, "hello")
		},
		"ReadTimeout": func(t *testing.T) {
			closedAt(t, time.Minute, func(c *rawConn) { c.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n") },
				set(func(srv *http.Server) { srv.ReadTimeout = time.Minute }))
		},
		"ReadHeaderTimeout": func(t *testing.T) {
			closedAt(t, time.Minute, func(c *rawConn) { c.send("GET / HTTP/1.1\r\n") },
				set(func(srv *http.Server) { srv.ReadHeaderTimeout = time.Minute }))
		},
		"WriteTimeout": func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(2 * time.Minute)
					hello(w, r)
				}, onPipe, set(func(srv *http.Server) { srv.WriteTimeout = time.Minute }))
				if r := s.get(s.client(), "/"); r.err == nil {
					t.Errorf("response = %v, want none after WriteTimeout", r.resp.Status)
				}
			})
		},
		"IdleTimeout": func(t *testing.T) {
			closedAt(t, time.Minute, func(c *rawConn) {
				c.get("/")
				c.reply(http.MethodGet).want(t, "GET / false")
			}, set(func(srv *http.Server) { srv.IdleTimeout = time.Minute }))
		},
		"MaxHeaderBytes": func(t *testing.T) {
			s := start(t, h1, hello, set(func(srv *http.Server) { srv.MaxHeaderBytes = 1000 }))
			got := s.raw().wire("GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 431") {
				t.Errorf("response = %.50q, want 431", got)
			}
		},
		"TLSNextProto": func(t *testing.T) {
			called := make(chan struct{}, 1)
			s := start(t, h2, hello, set(func(srv *http.Server) {
				srv.TLSConfig.NextProtos = []string{"x"}
				srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
					"x": func(_ *http.Server, c *tls.Conn, _ http.Handler) { called <- struct{}{} },
				}
			}))
			c := tls.Client(s.socket(), &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"x"}})
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			receive(t, "TLSNextProto", called)
		},
		"ConnState": func(t *testing.T) {
			called := make(chan http.ConnState, 100)
			s := start(t, h1, hello, set(func(srv *http.Server) { srv.ConnState = func(_ net.Conn, st http.ConnState) { called <- st } }))
			s.get(s.client(), "/").want(t, "hello")
			receive(t, "ConnState", called)
		},
		"ErrorLog": func(t *testing.T) {
			var b syncBuffer
			s := start(t, h1, playground, set(func(srv *http.Server) { srv.ErrorLog = log.New(&b, "mine: ", 0) }))
			s.get(s.client(), "/panic")
			s.mustStop()
			if !strings.Contains(b.String(), "mine: ") {
				t.Errorf("ErrorLog has %q", b.String())
			}
		},
		"BaseContext": func(t *testing.T) {
			called := make(chan struct{}, 1)
			s := start(t, h1, hello, set(func(srv *http.Server) {
				srv.BaseContext = func(net.Listener) context.Context { called <- struct{}{}; return context.Background() }
			}))
			s.get(s.client(), "/").want(t, "hello")
			receive(t, "BaseContext", called)
		},
		"ConnContext": func(t *testing.T) {
			called := make(chan struct{}, 1)
			s := start(t, h1, hello, set(func(srv *http.Server) {
				srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { called <- struct{}{}; return ctx }
			}))
			s.get(s.client(), "/").want(t, "hello")
			receive(t, "ConnContext", called)
		},
		"HTTP2": func(t *testing.T) {
			sockets(t, h2Modes, func(t *testing.T, m mode) {
				s := start(t, m, hello, set(func(srv *http.Server) { srv.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 1 << 15} }))
				settings := s.rawH2().settings
				const maxFrameSize = 5
				if got := settings[maxFrameSize]; got != 1<<15 {
					t.Errorf("SETTINGS_MAX_FRAME_SIZE = %d, want %d, as HTTP2.MaxReadFrameSize", got, 1<<15)
				}
			})
		},
		"Protocols": func(t *testing.T) {
			s := start(t, h2, hello, set(func(srv *http.Server) {
				srv.Protocols = new(http.Protocols)
				srv.Protocols.SetHTTP1(true)
			}))
			if r := s.get(s.client(), "/"); r.err == nil {
				t.Errorf("HTTP/2 with Protocols HTTP/1 alone: %v", r.resp.Proto)
			}
			s.mode = https1
			s.get(s.client(), "/").want(t, "hello")
		},
	}
	// Fields that Go 1.27 has brought.
	effects["MaxHeaderValueCount"] = func(t *testing.T) {
		s := start(t, h1, hello, set(func(srv *http.Server) {
			reflect.ValueOf(srv).Elem().FieldByName("MaxHeaderValueCount").SetInt(5)
		}))
		got := s.raw().wire("GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: x\r\n", 50) + "\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 431") {
			t.Errorf("response = %.50q, want 431", got)
		}
	}
	effects["DisableClientPriority"] = func(*testing.T) {} // of HTTP/2's scheduling; TestCopySettings has it
	for field := range reflect.TypeFor[http.Server]().Fields() {
		if !field.IsExported() {
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			effect, ok := effects[field.Name]
			if !ok {
				t.Fatalf("http.Server has a new field %s: handle it, and test that here", field.Name)
			}
			effect(t)
		})
	}
}

// closedAt checks that the server closes a connection, on which use was called,
// after d.
func closedAt(t *testing.T, d time.Duration, use func(*rawConn), settings ...setting) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, h1, playground, append(settings, onPipe)...)
		c := s.raw()
		use(c)
		began := time.Now()
		io.Copy(io.Discard, c.br)
		// net/http gives a client that still sends half a second to read the response.
		took(t, "closing", time.Since(began), d, d+500*ms)
	})
}
