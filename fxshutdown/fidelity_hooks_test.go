package fxshutdown_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestHooks checks what the other hooks are given.
func TestHooks(t *testing.T) {
	t.Run("Contexts", func(t *testing.T) {
		type key string
		sockets(t, allModes, func(t *testing.T, m mode) {
			sameAsBare(t, m, func(w http.ResponseWriter, r *http.Request) {
				ctx := r.Context()
				fmt.Fprint(w, ctx.Value(key("base")), " ", ctx.Value(key("conn")), " ", ctx.Value(http.LocalAddrContextKey) != nil)
			}, func(s *server) any { return s.get(s.client(), "/").body }, func(srv *http.Server, _ *fxshutdown.Config) {
				srv.BaseContext = func(l net.Listener) context.Context {
					return context.WithValue(context.Background(), key("base"), strings.HasPrefix(l.Addr().String(), "127.0.0.1:"))
				}
				srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
					return context.WithValue(ctx, key("conn"), fmt.Sprintf("%T %v %v", c, ctx.Value(http.ServerContextKey) == srv, ctx.Value(key("base"))))
				}
			})
		})
	})

	// A bare http.Server gives BaseContext the listener itself.
	t.Run("BaseContextListener", func(t *testing.T) {
		var got net.Listener
		l := listen(t, "tcp", "127.0.0.1:0")
		s := start(t, h1, hello, on(l), func(srv *http.Server, _ *fxshutdown.Config) {
			srv.BaseContext = func(l net.Listener) context.Context { got = l; return context.Background() }
		})
		s.get(s.client(), "/").want(t, "hello")
		if got != l {
			t.Errorf("BaseContext got a %T, want the given %T", got, l)
		}
	})

	// Hooks see the very connections that the listener accepted.
	t.Run("AcceptedConnections", func(t *testing.T) {
		var seen sync.Map
		l := &recordingListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
		s := start(t, h1, hello, on(l), func(srv *http.Server, _ *fxshutdown.Config) {
			srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context { seen.Store("ConnContext", c); return ctx }
			srv.ConnState = func(c net.Conn, _ http.ConnState) { seen.Store("ConnState", c) }
		})
		s.get(s.client(), "/").want(t, "hello")
		for _, hook := range []string{"ConnContext", "ConnState"} {
			if c, _ := seen.Load(hook); c != l.accepted()[0] {
				t.Errorf("%s got a %T, want the *recordingConn that Accept returned", hook, c)
			}
		}
	})

	// The user serves a second listener on the given server: its hook is told of those
	// connections too, and they are not in our figures.
	t.Run("ServedBesides", func(t *testing.T) {
		states := newStates()
		srv := &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(hello), ConnState: states.record(nil)}
		s, err := fxshutdown.New(srv, fxshutdown.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		l := listen(t, "tcp", "127.0.0.1:0")
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := newRawConn(t, nc)
		c.get("/")
		c.reply(http.MethodGet).want(t, "hello")
		states.wait(t, http.StateIdle, 1)
		if st := s.Stats(); st.Accepted != 0 || st.Requests != 0 {
			t.Errorf("Stats() = %+v, want nothing counted", st)
		}
		c.Close()
		states.wait(t, http.StateClosed, 1)
		if got, want := states.conns(), []string{"*net.TCPConn [new active idle closed]"}; !slices.Equal(got, want) {
			t.Errorf("ConnState saw %v, want %v", got, want)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		if err := receive(t, "Serve()", served); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve() = %v, want ErrServerClosed", err)
		}
	})

	t.Run("ServerContextKey", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
			got := make(chan any, 1)
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				got <- r.Context().Value(http.ServerContextKey)
			})
			s.get(s.client(), "/")
			if got := <-got; got != s.http {
				t.Errorf("ServerContextKey = %p, want the given %p", got, s.http)
			}
		})
	})

	t.Run("ErrorLog", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, playground)
			s.get(s.client(), "/panic")
			s.mustStop()
			if got := s.errors.String(); !strings.Contains(got, "panic serving") || !strings.Contains(got, "on purpose") {
				t.Errorf("ErrorLog has %q, want the panic", got)
			}
		})
	})

	// A logger with Lshortfile names the line of net/http, not a line of ours.
	t.Run("ErrorLog/Lshortfile", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, playground, func(srv *http.Server, _ *fxshutdown.Config) { srv.ErrorLog.SetFlags(log.Lshortfile) })
			s.get(s.client(), "/panic")
			s.mustStop()
			if got := s.errors.String(); !regexp.MustCompile(`^(server|h2_bundle)\.go:\d+: http2?: panic serving`).MatchString(got) {
				t.Errorf("ErrorLog has %.80q, want a line of net/http", got)
			}
		})
	})

	// TLSNextProto takes over the connections of its protocol.
	t.Run("TLSNextProto", func(t *testing.T) {
		var given *http.Server
		s := start(t, https1, hello, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.TLSConfig.NextProtos = []string{"shout", "http/1.1"}
			srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
				"shout": func(srv *http.Server, c *tls.Conn, h http.Handler) {
					given = srv
					line, _ := bufio.NewReader(c).ReadString('\n')
					io.WriteString(c, strings.ToUpper(line))
				},
			}
		})
		c := tls.Client(s.socket(), &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"shout"}})
		io.WriteString(c, "hello\n")
		b, err := io.ReadAll(c)
		if string(b) != "HELLO\n" || err != nil {
			t.Errorf("protocol shout = %q, %v; want HELLO", b, err)
		}
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		if given == nil {
			t.Error("TLSNextProto got no http.Server")
		}
	})

	// A connection of the user's protocol is tracked like a hijacked one: only the user's
	// function knows whether it waits for something.
	t.Run("TLSNextProtoStop", func(t *testing.T) {
		echo := func(srv *http.Server, _ *fxshutdown.Config) {
			srv.TLSConfig.NextProtos = []string{"echo"}
			srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
				"echo": func(_ *http.Server, c *tls.Conn, _ http.Handler) { io.Copy(c, c) },
			}
		}
		dial := func(s *server) *tls.Conn {
			c := tls.Client(s.socket(), &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"echo"}})
			io.WriteString(c, "hello")
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Errorf("echo: %v", err)
			}
			return c
		}
		t.Run("Cut", func(t *testing.T) {
			bubbles(t, []mode{https1}, func(t *testing.T, m mode) {
				s := start(t, m, hello, onPipe, echo)
				dial(s)
				if st := s.Stats(); st.Hijacked != 1 {
					t.Errorf("Stats() = %+v, want one hijacked", st)
				}
				d, err := s.timeStop(10 * time.Second)
				if err != nil {
					t.Errorf("Stop() = %v, want nil: there was no request", err)
				}
				took(t, "Stop()", d, 8*time.Second, 9*time.Second)
				s.wantReport(account{cut: 1})
			})
		})
		t.Run("HijackGrace", func(t *testing.T) {
			bubbles(t, []mode{https1}, func(t *testing.T, m mode) {
				s := start(t, m, hello, onPipe, echo, config(func(c *fxshutdown.Config) { c.HijackGrace = time.Second }))
				c := dial(s)
				go io.Copy(io.Discard, c)
				s.mustStopIn(time.Second, time.Second+slack)
				s.wantReport(account{cut: 1})
			})
		})
		t.Run("TLSListener", func(t *testing.T) {
			l := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{
				Certificates: []tls.Certificate{certificate}, NextProtos: []string{"echo"},
			})
			s := start(t, https1, hello, on(l), echo, func(srv *http.Server, cfg *fxshutdown.Config) {
				srv.TLSConfig, cfg.TLS = nil, false
			})
			dial(s).Close()
			eventually(t, "the connection is forgotten", func() bool { return s.Stats().Open() == 0 })
			s.mustStop()
			s.wantReport(account{})
		})
	})

	// An empty, non-nil TLSNextProto disables HTTP/2.
	t.Run("TLSNextProtoEmpty", func(t *testing.T) {
		s := start(t, https1, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) },
			func(srv *http.Server, _ *fxshutdown.Config) {
				srv.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
			})
		c := s.client()
		c.Transport.(*http.Transport).Protocols.SetHTTP2(true)
		s.get(c, "/").want(t, "HTTP/1.1")
	})

	// The listener brings TLS, with Config.TLS off.
	t.Run("TLSListener", func(t *testing.T) {
		sockets(t, tlsModes, func(t *testing.T, m mode) {
			l := tls.NewListener(listen(t, "tcp", "127.0.0.1:0"), &tls.Config{
				Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2", "http/1.1"},
			})
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.ProtoMajor, r.TLS != nil) },
				on(l), func(srv *http.Server, cfg *fxshutdown.Config) { srv.TLSConfig, cfg.TLS = nil, false })
			want := map[bool]string{false: "1 true", true: "2 true"}[m.h2]
			s.get(s.client(), "/").want(t, want)
			s.states.wait(t, http.StateIdle, 1)
			s.mustStop()
			s.wantReport(account{})
		})
	})
}

// TestHandler is about which handler serves.
func TestHandler(t *testing.T) {
	t.Run("Swapped", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "one") })
			c := s.client()
			s.get(c, "/").want(t, "one")
			s.http.Handler = s.calls.count(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two") })
			s.get(c, "/").want(t, "two")
		})
	})
	t.Run("SetAfterStart", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
			s := newServer(t, m, hello)
			s.http.Handler = nil
			s.start()
			s.http.Handler = s.calls.count(hello)
			s.get(s.client(), "/").want(t, "hello")
		})
	})
	t.Run("NilIsDefaultServeMux", func(t *testing.T) {
		before := http.DefaultServeMux
		t.Cleanup(func() { http.DefaultServeMux = before }) // when all subtests have run, side by side
		http.DefaultServeMux = http.NewServeMux()
		sockets(t, allModes, func(t *testing.T, m mode) {
			s := newServer(t, m, hello)
			http.DefaultServeMux.Handle("/"+m.name, s.calls.count(hello))
			s.http.Handler = nil
			s.start()
			s.get(s.client(), "/"+m.name).want(t, "hello")
		})
	})
	t.Run("GeneralOptions", func(t *testing.T) {
		sockets(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				return s.raw().wire("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			}, func(srv *http.Server, _ *fxshutdown.Config) { srv.DisableGeneralOptionsHandler = true })
		})
	})
}
