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
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// sameAsBare runs a scenario against a bare http.Server and against a Server
// with the same settings, and compares what it returns.
func sameAsBare(t *testing.T, m mode, handler http.HandlerFunc, scenario func(*server) any, settings ...setting) {
	t.Helper()
	want := scenario(startBare(t, m, handler, settings...))
	got := scenario(start(t, m, handler, settings...))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%v\na bare http.Server gives\n\t%v", got, want)
	}
}

// TestWireIsThatOfBare compares every byte of HTTP/1 responses.
func TestWireIsThatOfBare(t *testing.T) {
	const end = "GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	for name, text := range map[string]string{
		"Get":              get("/") + end,
		"Pipelined":        get("/1") + get("/big") + get("/3") + end,
		"Head":             "HEAD /big HTTP/1.1\r\nHost: h\r\n\r\nHEAD /length HTTP/1.1\r\nHost: h\r\n\r\n" + end,
		"Post":             "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"Chunked":          "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: v\r\n\r\n" + end,
		"BadChunk":         "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"Continue":         "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello" + end,
		"ContinueIgnored":  "POST /ignore-body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
		"ExpectOther":      "POST /echo HTTP/1.1\r\nHost: h\r\nExpect: the-worst\r\nContent-Length: 5\r\n\r\nhello",
		"IgnoredBody":      "POST /ignore-body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"IgnoredBigBody":   "POST /ignore-body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 1000),
		"HTTP10":           "GET / HTTP/1.0\r\n\r\n",
		"HTTP10KeepAlive":  "GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + end,
		"HTTP10NoLength":   "GET /flush HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"OptionsStar":      "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n" + end,
		"OptionsStarBody":  "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"Connect":          "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n" + end,
		"AbsoluteURI":      "GET http://other/conn HTTP/1.1\r\nHost: h\r\n\r\n" + end,
		"EmptyLine":        "\r\n" + get("/") + end,
		"NotHTTP":          "what is this\r\n\r\n",
		"NoHost":           "GET / HTTP/1.1\r\n\r\n",
		"UnknownCoding":    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
		"BadHeader":        "GET / HTTP/1.1\r\nHost: h\r\nbad header: x\r\n\r\n",
		"WrongVersion":     "GET / HTTP/3.7\r\nHost: h\r\n\r\n",
		"HeaderTooLarge":   "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n",
		"HTTP2Preface":     "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"Length":           get("/length") + end,
		"ShortBody":        get("/short"),
		"TooLongBody":      get("/too-long") + end,
		"Flush":            get("/flush") + end,
		"ReadFrom":         get("/read-from") + end,
		"NoContent":        get("/204") + end,
		"NotModified":      get("/304") + end,
		"HeaderTwice":      get("/twice") + end,
		"Hints":            get("/hints") + end,
		"Trailers":         get("/trailers") + end,
		"HandlerSaysClose": get("/close") + get("/never"),
		"UpgradeRequired":  get("/426") + end,
		"Switching":        "GET /101 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n",
		"Hijack":           get("/hijack"),
		"Duplex":           "POST /duplex HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + end,
		"Panic":            get("/panic"),
		"Abort":            get("/abort"),
		"Cancelled":        get("/cancelled") + end,
		"Conn":             get("/conn") + end,
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, h1Modes, func(t *testing.T, m mode) {
				sameAsBare(t, m, playground, func(s *server) any {
					s.calls.besides(strings.Count(text, "OPTIONS * "))
					return s.raw().wire(text)
				}, smallHeaders)
			})
		})
	}
}

// smallHeaders is a setting.
func smallHeaders(srv *http.Server, _ *fxshutdown.Config) { srv.MaxHeaderBytes = 1000 }

// TestStatesAreThoseOfBare compares the connections' types and the sequence of
// states that the hook is told.
func TestStatesAreThoseOfBare(t *testing.T) {
	const close = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	closed := func(s *server, n int) any {
		s.states.wait(s.t, http.StateClosed, n)
		return s.states.conns()
	}
	raws := map[string]string{
		"One":       close,
		"Two":       "GET / HTTP/1.1\r\nHost: h\r\n\r\n" + close,
		"Malformed": "what is this\r\n\r\n",
		"TooLarge":  "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n",
		"Panic":     "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n",
		"Abort":     "GET /abort HTTP/1.1\r\nHost: h\r\n\r\n",
	}
	for name, text := range raws {
		t.Run(name, func(t *testing.T) {
			inModes(t, h1Modes, func(t *testing.T, m mode) {
				sameAsBare(t, m, playground, func(s *server) any {
					s.raw().wire(text)
					return closed(s, 1)
				}, smallHeaders)
			})
		})
	}
	t.Run("Hijack", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				s.raw().wire("GET /hijack HTTP/1.1\r\nHost: h\r\n\r\n")
				s.states.wait(t, http.StateHijacked, 1)
				return s.states.conns()
			})
		})
	})
	t.Run("Silent", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any { s.raw().Close(); return closed(s, 1) })
		})
	})
	t.Run("NoHandshake", func(t *testing.T) {
		inModes(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any { s.socket().Close(); return closed(s, 1) })
		})
	})
	t.Run("PlainToTLS", func(t *testing.T) {
		inModes(t, []mode{https1, h2}, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				got := newRawConn(t, s.socket()).wire(close)
				return []any{got, closed(s, 1)}
			})
		})
	})
	t.Run("Client", func(t *testing.T) {
		inModes(t, h2Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				c := s.rawH2()
				for i := range 3 {
					stream := uint32(2*i + 1)
					c.get(stream, "/")
					c.until(func(f frame) bool { return f.stream == stream && f.ended() })
					s.states.wait(t, http.StateIdle, i+1)
				}
				c.Close()
				return closed(s, 1)
			})
		})
	})
}

// TestHooks checks what the other hooks are given.
func TestHooks(t *testing.T) {
	t.Run("Contexts", func(t *testing.T) {
		type key string
		inModes(t, allModes, func(t *testing.T, m mode) {
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

	// Somebody serves a second listener on the given server himself: its hook
	// hears of those connections too, and they are not on our account.
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
		inModes(t, allModes, func(t *testing.T, m mode) {
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
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, playground)
			s.get(s.client(), "/panic")
			s.mustStop()
			if got := s.errors.String(); !strings.Contains(got, "panic serving") || !strings.Contains(got, "on purpose") {
				t.Errorf("ErrorLog has %q, want the panic", got)
			}
		})
	})

	// TLSNextProto takes a connection over by its protocol.
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

	// A protocol of the user's is tracked as hijacked connections are: whether it
	// waits for something only he knows.
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

	// TLS that the listener brings, with Config.TLS off.
	t.Run("TLSListener", func(t *testing.T) {
		inModes(t, []mode{https1, h2}, func(t *testing.T, m mode) {
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
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "one") })
			c := s.client()
			s.get(c, "/").want(t, "one")
			s.http.Handler = s.calls.count(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "two") })
			s.get(c, "/").want(t, "two")
		})
	})
	t.Run("SetAfterStart", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := newServer(t, m, hello)
			s.http.Handler = nil
			s.start()
			s.http.Handler = s.calls.count(hello)
			s.get(s.client(), "/").want(t, "hello")
		})
	})
	t.Run("NilIsDefaultServeMux", func(t *testing.T) {
		before := http.DefaultServeMux
		defer func() { http.DefaultServeMux = before }()
		http.DefaultServeMux = http.NewServeMux()
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := newServer(t, m, hello)
			http.DefaultServeMux.Handle("/"+m.name, s.calls.count(hello))
			s.http.Handler = nil
			s.start()
			s.get(s.client(), "/"+m.name).want(t, "hello")
		})
	})
	t.Run("GeneralOptions", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			sameAsBare(t, m, playground, func(s *server) any {
				return s.raw().wire("OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			}, func(srv *http.Server, _ *fxshutdown.Config) { srv.DisableGeneralOptionsHandler = true })
		})
	})
}

// TestResponseWriter checks that it is all that the original is, and no more.
func TestResponseWriter(t *testing.T) {
	t.Run("Interfaces", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			sameAsBare(t, m, func(w http.ResponseWriter, r *http.Request) {
				_, flusher := w.(http.Flusher)
				_, flushError := w.(interface{ FlushError() error })
				_, hijacker := w.(http.Hijacker)
				_, readerFrom := w.(io.ReaderFrom)
				_, stringWriter := w.(io.StringWriter)
				_, pusher := w.(http.Pusher)
				//lint:ignore SA1019 some still ask for it
				_, closeNotifier := w.(http.CloseNotifier)
				_, readDeadline := w.(interface{ SetReadDeadline(time.Time) error })
				_, writeDeadline := w.(interface{ SetWriteDeadline(time.Time) error })
				_, fullDuplex := w.(interface{ EnableFullDuplex() error })
				fmt.Fprint(w, "Flusher ", flusher, " FlushError ", flushError, " Hijacker ", hijacker, " ReaderFrom ", readerFrom,
					" StringWriter ", stringWriter, " Pusher ", pusher, " CloseNotifier ", closeNotifier,
					" SetReadDeadline ", readDeadline, " SetWriteDeadline ", writeDeadline, " EnableFullDuplex ", fullDuplex)
			}, func(s *server) any { return s.get(s.client(), "/").body })
		})
	})
	t.Run("Controller", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			sameAsBare(t, m, func(w http.ResponseWriter, r *http.Request) {
				rc := http.NewResponseController(w)
				later := time.Now().Add(time.Hour)
				errs := []error{rc.SetReadDeadline(later), rc.SetWriteDeadline(later), rc.EnableFullDuplex()}
				if r.ProtoMajor == 2 {
					_, _, err := rc.Hijack()
					errs = append(errs, err)
				}
				fmt.Fprint(w, errs)
				if err := rc.Flush(); err != nil {
					t.Errorf("Flush() = %v", err)
				}
			}, func(s *server) any { return s.get(s.client(), "/").body })
		})
	})

	// A read deadline that the handler sets ends its reading of the body, during
	// a drain too: the wrapper's own use of deadlines does not get in the way.
	t.Run("ReadDeadline", func(t *testing.T) {
		bubbles(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				began := time.Now()
				http.NewResponseController(w).SetReadDeadline(began.Add(time.Minute))
				_, err := io.ReadAll(r.Body)
				took(t, "reading the body", time.Since(began), time.Minute, time.Minute+ms)
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("reading the body: %v, want os.ErrDeadlineExceeded", err)
				}
				hello(w, r)
			}, onPipe)
			pr, pw := io.Pipe()
			defer pw.Close()
			got := make(chan reply, 1)
			c := s.client()
			go func() { got <- s.do(c, http.MethodPost, "/", pr) }()
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			s.mustStopIn(time.Minute, time.Minute+2*time.Second)
			<-got
		})
	})
	t.Run("WriteDeadline", func(t *testing.T) {
		bubbles(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				began := time.Now()
				http.NewResponseController(w).SetWriteDeadline(began.Add(time.Minute))
				_, err := io.WriteString(w, strings.Repeat("x", 10*flowSize))
				// crypto/tls tries for 5 s more to say that it closes.
				took(t, "writing the response", time.Since(began), time.Minute, time.Minute+5*time.Second)
				if err == nil {
					t.Error("writing to a client that does not read: nil, want an error")
				}
			}, onPipe)
			c := s.raw()
			c.get("/")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			d, err := s.timeStop(time.Hour)
			if err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			took(t, "Stop()", d, time.Minute, time.Minute+6*time.Second)
		})
	})
	// The client's going cancels the request's context, as without us.
	t.Run("ContextEndsWithClient", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			entered, over := make(chan struct{}), make(chan error, 1)
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				close(entered)
				<-r.Context().Done()
				over <- context.Cause(r.Context())
			})
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url("/"), nil)
			go func() { <-entered; cancel() }()
			if _, err := s.client().Do(req); err == nil {
				t.Error("a cancelled request got a response")
			}
			if err := receive(t, "the request's context", over); errors.Is(err, fxshutdown.ErrStopping) {
				t.Errorf("context.Cause() = %v, want that of a client that went", err)
			}
		})
	})
}

// TestHijackedConn checks what Hijack returns.
func TestHijackedConn(t *testing.T) {
	inModes(t, h1Modes, func(t *testing.T, m mode) {
		l := &recordingListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			defer c.Close()
			inner := c
			if tc, ok := c.(*tls.Conn); ok {
				inner = tc.NetConn()
			} else if m.tls {
				t.Errorf("Hijack() = a %T over TLS, want *tls.Conn as from net/http", c)
			}
			n, ok := inner.(interface{ NetConn() net.Conn })
			if !ok {
				t.Errorf("hijacked %T has no NetConn", inner)
			} else if n.NetConn() != l.accepted()[0] {
				t.Errorf("NetConn() = %T, want the *recordingConn that was accepted", n.NetConn())
			}
			if sc, ok := inner.(syscall.Conn); !ok {
				t.Errorf("hijacked %T has no SyscallConn", inner)
			} else if rc, err := sc.SyscallConn(); err != nil || rc.Control(func(uintptr) {}) != nil {
				t.Errorf("SyscallConn() = %v, %v", rc, err)
			}
			if _, ok := inner.(io.ReaderFrom); !ok {
				t.Errorf("hijacked %T has no ReadFrom", inner)
			}
			rw.WriteString("bye")
			rw.Flush()
			cw, ok := c.(interface{ CloseWrite() error })
			if !ok {
				t.Errorf("hijacked %T has no CloseWrite", c)
				return
			}
			if err := cw.CloseWrite(); err != nil {
				t.Errorf("CloseWrite() = %v", err)
			}
			// The other direction is still open.
			if line, err := rw.ReadString('\n'); line != "still here\n" {
				t.Errorf("after CloseWrite: read %q, %v", line, err)
			}
		}, on(l))
		c := s.raw()
		c.get("/")
		b, err := io.ReadAll(c.br)
		if string(b) != "bye" || err != nil {
			t.Errorf("read %q, %v; want bye", b, err)
		}
		c.send("still here\n")
		s.calls.wait(t)
	})
}

// What was read ahead of a hijack is in the bufio.Reader, as from net/http.
func TestHijackBuffered(t *testing.T) {
	inModes(t, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			defer c.Close()
			line, _ := rw.ReadString('\n')
			rw.WriteString(line)
			rw.Flush()
		})
		c := s.raw()
		if got := c.wire("GET / HTTP/1.1\r\nHost: h\r\n\r\nahead\n"); got != "ahead\n" {
			t.Errorf("read ahead: %q, want it echoed", got)
		}
	})
}

// TestSendfile checks that a file reaches the TCP connection's ReadFrom, where
// sendfile happens, as it does on a bare http.Server.
func TestSendfile(t *testing.T) {
	const size = 1 << 20
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(strings.Repeat("f", size)), 0o600); err != nil {
		t.Fatal(err)
	}
	handlers := map[string]http.HandlerFunc{
		"ServeFile": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) },
		"Copy": func(w http.ResponseWriter, r *http.Request) {
			f, err := os.Open(name)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			w.Header().Set("Content-Length", fmt.Sprint(size))
			if n, err := io.Copy(w, f); n != size || err != nil {
				t.Errorf("Copy() = %d, %v", n, err)
			}
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			download := func(s *server) any {
				r := s.get(s.client(), "/")
				if len(r.body) != size || r.err != nil {
					t.Errorf("download = %d bytes, %v", len(r.body), r.err)
				}
				return nil
			}
			bare := &recordingListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
			ours := &recordingListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
			download(startBare(t, h1, handler, on(bare)))
			s := start(t, h1, handler, on(ours))
			download(s)
			s.mustStop()
			want, got := bare.accepted()[0].reads(), ours.accepted()[0].reads()
			if !slices.Equal(got, want) {
				t.Errorf("ReadFrom calls = %v, on a bare http.Server %v", got, want)
			}
			if len(got) == 0 || !strings.Contains(strings.Join(got, " "), "os.") {
				t.Errorf("ReadFrom calls = %v, want one from a file", got)
			}
		})
	}
}

// TestDrainingResponses is about responses whose header is written during a
// drain: each says close, and is otherwise what it was.
func TestDrainingResponses(t *testing.T) {
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n" }
	for name, test := range map[string]struct {
		request string
		want    []string // must be in the response, in this order
		not     []string // must not
	}{
		"Get":             {get("/length"), []string{"HTTP/1.1 200 OK\r\n", "Connection: close\r\n", "\r\n\r\nhello"}, nil},
		"Pipelined":       {get("/length") + get("/never"), []string{"Connection: close\r\n", "hello"}, []string{"/never"}},
		"Head":            {"HEAD /length HTTP/1.1\r\nHost: h\r\n\r\n", []string{"Connection: close\r\n", "\r\n\r\n"}, []string{"hello"}},
		"Chunked":         {get("/flush"), []string{"Connection: close\r\n", "hel", "lo"}, nil},
		"Big":             {get("/big"), []string{"Connection: close\r\n", strings.Repeat("b", 1000)}, nil},
		"ReadFrom":        {get("/read-from"), []string{"Connection: close\r\n", "hello"}, nil},
		"Trailers":        {get("/trailers"), []string{"Connection: close\r\n", "hello", "X-Sum: 5\r\n"}, nil},
		"Hints":           {get("/hints"), []string{"103 Early Hints\r\n", "102 Processing\r\n", "200 OK\r\n", "Connection: close\r\n", "hello"}, nil},
		"NoContent":       {get("/204"), []string{"204 No Content\r\n", "Connection: close\r\n"}, nil},
		"NotModified":     {get("/304"), []string{"304 Not Modified\r\n", "Connection: close\r\n"}, nil},
		"Continue":        {"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", []string{"100 Continue\r\n", "200 OK\r\n", "Connection: close\r\n", `POST "hi"`}, nil},
		"ContinueIgnored": {"POST /ignore-body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", []string{"200 OK\r\n", "Connection: close\r\n", "hello"}, []string{"100 Continue"}},
		"HTTP10":          {"GET /length HTTP/1.0\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "hello"}, []string{"keep-alive"}},
		"HTTP10KeepAlive": {"GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", []string{"HTTP/1.0 200 OK\r\n", "Connection: close\r\n", "hello"}, []string{"keep-alive"}},
		"OptionsStar":     {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", []string{"HTTP/1.1 200 OK\r\n", "Connection: close\r\n"}, nil},
		"Switching":       {"GET /101 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n", []string{"101 Switching Protocols\r\n", "Connection: Upgrade\r\n", "bye"}, []string{"close"}},
		"Hijack":          {get("/hijack"), []string{"hijacked true"}, []string{"close"}},
		"HandlerSaysTwo":  {get("/close"), []string{"Connection: close\r\n", "hello"}, nil},
		"Default":         {get("/x"), []string{"Connection: close\r\n", "GET /x false"}, nil},
		"Abort":           {get("/abort"), []string{"Connection: close\r\n", "hel"}, []string{"\r\n0\r\n\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			inModes(t, h1Modes, func(t *testing.T, m mode) {
				s := start(t, m, playground, idleGrace(patience))
				c := s.raw()
				if m.tls {
					s.states.wait(t, http.StateNew, 1)
				}
				done := s.stopIn(0)
				s.calls.besides(strings.Count(test.request, "OPTIONS * "))
				got := c.wire(test.request)
				rest := got
				for _, want := range test.want {
					_, after, ok := strings.Cut(rest, want)
					if !ok {
						t.Errorf("response = %q, want %q in it, in this order", got, want)
					}
					rest = after
				}
				for _, not := range test.not {
					if strings.Contains(got, not) {
						t.Errorf("response = %q, want no %q", got, not)
					}
				}
				if strings.Count(got, "Connection: close") > 1 {
					t.Errorf("response = %q, want Connection: close once", got)
				}
				if err := receive(t, "Stop()", done); err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
			})
		})
	}

	// 426 needs "Upgrade" among the connection options (RFC 9110, 7.8), and close too.
	t.Run("UpgradeRequired", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, playground, idleGrace(patience))
			c := s.raw()
			done := s.stopIn(0)
			got := c.wire("GET /426 HTTP/1.1\r\nHost: h\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 426") || !strings.Contains(got, "Upgrade: chat\r\n") {
				t.Errorf("response = %q, want 426 with Upgrade: chat", got)
			}
			var options []string
			for line := range strings.Lines(got) {
				if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Connection") {
					options = append(options, strings.Split(strings.ToLower(strings.ReplaceAll(strings.TrimSpace(value), " ", "")), ",")...)
				}
			}
			if !slices.Contains(options, "upgrade") || !slices.Contains(options, "close") {
				t.Errorf("Connection: %q, want upgrade and close", options)
			}
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})
}

// TestFields sets every exported field of http.Server and looks for its effect.
// A field that a new Go brings fails the test until it is looked after.
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
				t.Errorf("response = %q, want that of the handler", got)
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
			inModes(t, h2Modes, func(t *testing.T, m mode) {
				s := start(t, m, hello, set(func(srv *http.Server) { srv.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: 1 << 15} }))
				settings := s.rawH2().settings
				const maxFrameSize = 5
				if got := settings[maxFrameSize]; got != 1<<15 {
					t.Errorf("SETTINGS_MAX_FRAME_SIZE = %d, want %d of HTTP2.MaxReadFrameSize", got, 1<<15)
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
	for field := range reflect.TypeFor[http.Server]().Fields() {
		if !field.IsExported() {
			continue
		}
		t.Run(field.Name, func(t *testing.T) {
			effect, ok := effects[field.Name]
			if !ok {
				t.Fatalf("http.Server has a new field %s: look after it", field.Name)
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
