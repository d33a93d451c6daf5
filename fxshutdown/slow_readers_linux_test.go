package fxshutdown_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// An HTTP/2 client that reads its last response slowly gets all of it, although its
// handler has returned long ago, and the client sends something all the time.
func TestSlowReaders(t *testing.T) {
	watchFDs(t)
	for name, leave := range map[string]func(*testing.T, *server) <-chan error{
		"Stop": func(t *testing.T, s *server) <-chan error { return s.stopIn(patience) },
		"Retire": func(t *testing.T, s *server) <-chan error {
			if n := s.Retire(func(fxshutdown.ConnInfo) bool { return true }); n != 1 {
				t.Errorf("Retire() = %d, want 1", n)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			together(t, h2Modes, func(t *testing.T, m mode) {
				s, c := startSlowReader(t, m)
				done := leave(t, s)
				var got int
				var told, ended bool
				for next := 1 << 18; ; {
					f, err := c.read()
					if err != nil {
						t.Logf("after %d bytes: %v", got, err)
						break
					}
					told = told || f.kind == frameGoAway
					ended = ended || f.ended()
					if f.kind == frameData {
						got += len(f.payload)
					}
					if got >= next {
						next += 1 << 18
						time.Sleep(180 * time.Millisecond)
						c.write(frame{framePing, 0, 0, make([]byte, 8)})
					}
				}
				if got != slowBody || !ended || !told {
					t.Errorf("the client got %d bytes of %d, the end of its stream: %v, GOAWAY: %v", got, slowBody, ended, told)
				}
				if done != nil {
					wantStopped(t, done)
					if r := s.Report(); !r.Graceful() || s.Stats().Answered != 1 {
						t.Errorf("Report() = %+v, want graceful, and the request answered", r)
					}
				}
			})
		})
	}
}

// A client that no longer reads does not hold the stop.
func TestNoReader(t *testing.T) {
	sockets(t, h2Modes, func(t *testing.T, m mode) {
		s, c := startSlowReader(t, m)
		go func() {
			for c.write(frame{framePing, 0, 0, make([]byte, 8)}) == nil {
				time.Sleep(50 * time.Millisecond)
			}
		}()
		s.mustStopIn(0, 3*time.Second+slack)
	})
}

// slowBody is too much for the kernel's buffers, but so little that they take more of it
// than a client reads at once.
const slowBody = 2 << 20

// startSlowReader starts a server whose handler has returned when most of its response is
// on its way to a client that has not read any of it.
func startSlowReader(t *testing.T, m mode) (*server, *h2Conn) {
	t.Helper()
	s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("d", slowBody))
	}, func(srv *http.Server, cfg *fxshutdown.Config) {
		srv.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 10}
	})
	c := s.rawH2()
	narrow := c.Conn
	if tc, ok := narrow.(*tls.Conn); ok {
		narrow = tc.NetConn()
	}
	if err := narrow.(*net.TCPConn).SetReadBuffer(1 << 15); err != nil {
		t.Fatal(err)
	}
	wide := binary.BigEndian.AppendUint32([]byte{0, 4}, 1<<30) // SETTINGS_INITIAL_WINDOW_SIZE
	c.write(frame{frameSettings, 0, 0, wide})
	c.write(frame{frameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, 1<<30)})
	c.get(1, "/download")
	eventually(t, "the handler has begun", func() bool { return s.calls.begun.Load() == 1 })
	s.calls.wait(t)
	return s, c
}
