package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestResponseWriter checks that the wrapper is everything that the original is, and no
// more.
func TestResponseWriter(t *testing.T) {
	t.Run("Interfaces", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
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
		sockets(t, allModes, func(t *testing.T, m mode) {
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
				// crypto/tls tries for 5 s more to send its close_notify.
				took(t, "writing the response", time.Since(began), time.Minute, time.Minute+5*time.Second)
				if err == nil {
					t.Error("writing to a client that does not read: nil, want an error")
				}
			}, onPipe)
			c := s.raw()
			c.get("/")
			s.states.wait(t, http.StateActive, 1)
			synctest.Wait()
			s.mustStopIn(time.Minute, time.Minute+6*time.Second)
		})
	})
	// A client that goes away cancels the request's context, as in net/http.
	t.Run("ContextEndsWithClient", func(t *testing.T) {
		sockets(t, allModes, func(t *testing.T, m mode) {
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
				t.Errorf("context.Cause() = %v, want that of a client that went away", err)
			}
		})
	})
}

// TestHijackedConn checks what Hijack returns.
func TestHijackedConn(t *testing.T) {
	sockets(t, h1Modes, func(t *testing.T, m mode) {
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

// What was read before a hijack is in the bufio.Reader, as from net/http.
func TestHijackBuffered(t *testing.T) {
	sockets(t, h1Modes, func(t *testing.T, m mode) {
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
