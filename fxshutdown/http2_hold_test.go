package fxshutdown_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// What a busy HTTP/2 client sends once its connection retires is held back until
// its running request is answered and GOAWAY is written: it is refused then.
func TestHTTP2HeldBack(t *testing.T) {
	bubbles(t, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) { time.Sleep(200 * ms) }, onPipe)
		c := s.rawH2()
		c.get(1, "/")
		synctest.Wait()
		done := s.stopIn(time.Hour)
		frames := make(chan []frame, 1)
		go func() { frames <- c.untilClosed() }()
		time.Sleep(50 * ms)
		c.get(3, "/")
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		s.wantReport(account{answered: 1})
		wantTold(t, <-frames, 1)
	})
}

// wantTold checks that the client got the ends of the first n responses and then
// GOAWAY, which says that nothing else was processed.
func wantTold(t *testing.T, frames []frame, n int) {
	t.Helper()
	answered, told := 0, false
	for _, f := range frames {
		switch {
		case f.ended():
			answered++
		case f.kind == frameGoAway:
			told = true
			if last := int(binary.BigEndian.Uint32(f.payload)); last != 2*n-1 {
				t.Errorf("GOAWAY says that stream %d was the last, want %d", last, 2*n-1)
			}
		}
	}
	if answered != n || !told {
		t.Errorf("the client got %d responses and GOAWAY %v, want %d and true", answered, told, n)
	}
}

// A client that first writes all it has, and then reads, is not held back while the server
// waits for it to read, wherever in the response that is. The sizes are such that the end
// of the response does not fit, or just does.
func TestHTTP2HeldBackBeforeItReads(t *testing.T) {
	for size := flowSize - 1500; size < flowSize+100; size += 100 {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubbles(t, h2Modes, func(t *testing.T, m mode) {
				g := newGate()
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					g.ServeHTTP(w, r)
					io.WriteString(w, strings.Repeat("x", size-len("hello")))
				}, onPipe)
				c := s.rawH2()
				c.write(frame{frameSettings, 0, 0, []byte{0, 4, 1 << 6, 0, 0, 0}}) // SETTINGS_INITIAL_WINDOW_SIZE
				c.write(frame{frameWindowUpdate, 0, 0, []byte{1 << 6, 0, 0, 0}})
				c.get(1, "/slow")
				g.waitEntered(t, 1)
				done := s.stopIn(time.Hour)
				time.AfterFunc(100*ms, g.open)
				c.fillWithPings()
				wantTold(t, c.untilClosed(), 1)
				wantStopped(t, done)
				if r := s.wantReport(account{answered: 1}); r.Duration > 2*time.Second {
					t.Errorf("the stop took %v, want no more than holding back does", r.Duration)
				}
			})
		})
	}
}

// net/http calls the connection idle before it has flushed the end of its last response.
// A slow hook there does not cost the response, whether GOAWAY was sent before or not.
func TestHTTP2SlowIdleHook(t *testing.T) {
	for _, test := range []struct {
		name          string
		handler, hook time.Duration
	}{
		{"GOAWAY before", time.Second, 20 * ms},
		{"GOAWAY after", 100 * ms, 100 * ms},
		{"GOAWAY after, and nearly too late", 100 * ms, 249 * ms},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubbles(t, h2Modes, func(t *testing.T, m mode) {
				var s *server
				s = start(t, m, func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(test.handler)
				}, onSocketlike, func(srv *http.Server, _ *fxshutdown.Config) {
					srv.ConnState = func(_ net.Conn, st http.ConnState) {
						if st == http.StateIdle && isClosed(s.Draining()) {
							time.Sleep(test.hook)
						}
					}
				})
				c := s.rawH2()
				synctest.Wait()
				c.get(1, "/")
				synctest.Wait()
				done := s.stopIn(time.Hour)
				frames := c.untilClosed()
				if err := <-done; err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
				wantTold(t, frames, 1)
				time.Sleep(test.hook)
			})
		})
	}
}

// onSocketlike is onPipe, with connections that can be closed on one side.
func onSocketlike(_ *http.Server, cfg *fxshutdown.Config) {
	l := newPipeListener()
	l.pipe = func() (client, server net.Conn) {
		client, server = newPipe()
		return client, halfPipe{server.(*pipeConn)}
	}
	cfg.Listener = l
}

// A halfPipe is a pipeConn with a CloseWrite.
type halfPipe struct{ *pipeConn }

func (c halfPipe) CloseWrite() error {
	c.out.close(&c.out.writerGone)
	return nil
}

// A stop whose time is over before the hold reads on: among what was held back is the
// client's WINDOW_UPDATE for the rest of its response.
func TestHTTP2HeldUntilForce(t *testing.T) {
	const size = 200_000
	bubbles(t, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(100 * ms)
			w.Write(make([]byte, size))
		}, onPipe)
		c := s.rawH2()
		c.get(1, "/")
		synctest.Wait()
		done := s.stopIn(400 * ms)
		got := 0
		for _, f := range c.untilClosedTaking() {
			if f.kind == frameData {
				got += len(f.payload)
			}
		}
		if err := <-done; err != nil || got != size {
			t.Errorf("Stop() = %v, and the client got %d bytes, want nil and %d", err, got, size)
		}
	})
}

// untilClosedTaking is untilClosed for a client that makes room for what it read.
func (c *h2Conn) untilClosedTaking() (all []frame) {
	for {
		f, err := c.read()
		if err != nil {
			return all
		}
		all = append(all, f)
		if n := len(f.payload); f.kind == frameData && n > 0 {
			room := binary.BigEndian.AppendUint32(nil, uint32(n))
			go func() {
				c.write(frame{frameWindowUpdate, 0, f.stream, room})
				c.write(frame{frameWindowUpdate, 0, 0, room})
			}()
		}
	}
}

// A server whose PINGs must be answered before the hold ends holds nothing back: net/http
// would close the connection.
func TestHTTP2HeldPing(t *testing.T) {
	bubbles(t, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}, onPipe, func(srv *http.Server, _ *fxshutdown.Config) {
			srv.HTTP2 = &http.HTTP2Config{SendPingTimeout: 100 * ms, PingTimeout: 200 * ms}
		})
		c := s.rawH2()
		c.get(1, "/")
		synctest.Wait()
		done := s.stopIn(time.Hour)
		wantTold(t, c.untilClosed(), 1)
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	})
}
