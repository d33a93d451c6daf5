package fxshutdown_test

import (
	"encoding/binary"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestEndOnDrainOnTheWire checks what clients see of a stream that ends, as EndOnDrain's
// comment says.
func TestEndOnDrainOnTheWire(t *testing.T) {
	for _, test := range []struct {
		name     string
		end      func(http.ResponseWriter)
		complete bool
		reset    uint32 // HTTP/2's error code
	}{
		{"Returns", func(http.ResponseWriter) {}, true, 0},
		{"Abandons", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, false, 2}, // INTERNAL_ERROR
	} {
		t.Run(test.name, func(t *testing.T) {
			sockets(t, allModes, func(t *testing.T, m mode) {
				entered := make(chan struct{}, 1)
				stream := sse(entered, func(r *http.Request) { <-r.Context().Done() })
				s := start(t, m, endOnDrain(func(w http.ResponseWriter, r *http.Request) {
					stream(w, r)
					test.end(w)
				}))
				if m.h2 {
					c := s.rawH2()
					c.get(1, "/events")
					receive(t, "the handler", entered)
					done := s.stopIn(0)
					last := c.until(func(f frame) bool { return f.stream == 1 && (f.ended() || f.kind == frameRSTStream) })
					switch {
					case last.ended() != test.complete:
						t.Errorf("the last frame = %+v, want END_STREAM: %v", last, test.complete)
					case !last.ended() && binary.BigEndian.Uint32(last.payload) != test.reset:
						t.Errorf("RST_STREAM = %v, want code %d", last.payload, test.reset)
					}
					go c.untilClosed()
					wantStopped(t, done)
					return
				}
				c := s.raw()
				c.get("/events")
				receive(t, "the handler", entered)
				done := s.stopIn(0)
				b, _ := io.ReadAll(c.br)
				if got := string(b); strings.HasSuffix(got, "\r\n0\r\n\r\n") != test.complete || !strings.Contains(got, event1) {
					t.Errorf("response = %q, want the last chunk: %v", got, test.complete)
				}
				wantStopped(t, done)
			})
		})
	}
}

// proxy returns a ReverseProxy under EndOnDrain, with a backend. Neither knows of the
// drain.
func proxy(t *testing.T, backend http.HandlerFunc) http.HandlerFunc {
	b := httptest.NewServer(backend)
	t.Cleanup(b.Close)
	target, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	return fxshutdown.EndOnDrain(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &http.Transport{DisableKeepAlives: true}, // for tests that count sockets
		ErrorLog:  log.New(io.Discard, "", 0),
	}).ServeHTTP
}

// An endless stream behind a proxy does not hold a stop.
func TestEndOnDrainOfProxiedStream(t *testing.T) {
	sockets(t, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, proxy(t, sse(entered, func(r *http.Request) { <-r.Context().Done() })))
		got := s.goGet(s.client(), "/events")
		receive(t, "the backend", entered)
		eventually(t, "the stream has begun", func() bool { return len(s.InFlight()) == 1 && s.InFlight()[0].Age > 250*ms })
		if d, err := s.timeStop(patience); err != nil || d > slack {
			t.Errorf("Stop() = %v after %v, want nil at once", err, d)
		}
		if r := receive(t, "the client", got); r.err == nil || r.body != event1 {
			t.Errorf("response = %q, %v, want the event and an error", r.body, r.err)
		}
		if r := s.wantReport(account{ended: 1}); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
	})
}

// A connection that a proxy has upgraded does not hold a stop either.
func TestEndOnDrainOfProxiedUpgrade(t *testing.T) {
	sockets(t, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, proxy(t, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			defer c.Close()
			io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			io.Copy(c, rw)
		}))
		c := s.raw()
		c.send("GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("response = %v, %v, want 101", resp, err)
		}
		c.send("hello\n")
		if line, err := c.br.ReadString('\n'); err != nil || line != "hello\n" {
			t.Fatalf("echo = %q, %v, want hello", line, err)
		}
		go c.waitClosed()
		if d, err := s.timeStop(patience); err != nil || d > 250*ms+slack {
			t.Errorf("Stop() = %v after %v, want nil, after at most 250 ms", err, d)
		}
		if r := s.wantReport(account{}); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
		if st := s.Stats(); st.Hijacks != 1 || st.Ended != 0 {
			t.Errorf("Stats() = %+v, want one hijacked", st)
		}
	})
}

// An ordinary request through the same proxy is answered, if it is quick, in the middle
// of a stop: one that waits for the backend when the drain begins, and one that comes late.
func TestEndOnDrainOfProxiedRequest(t *testing.T) {
	sockets(t, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 2)
		s := start(t, m, proxy(t, func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			time.Sleep(50 * ms)
			hello(w, r)
		}), idleGrace(patience))
		late := s.raw()
		got := s.goGet(s.client(), "/running")
		receive(t, "the backend", entered)
		done := s.stopIn(0)
		late.get("/late")
		late.reply(http.MethodGet).want(t, "hello")
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
		s.wantReport(account{answered: 2})
	})
}
