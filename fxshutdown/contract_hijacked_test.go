package fxshutdown_test

import (
	"errors"
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

// hijackedScenarios are about connections that handlers took over.
var hijackedScenarios = []scenario{
	// WebSockets say goodbye when Draining tells them to.
	{"EndsWhenDraining", sockets, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) {
			defer c.Close()
			<-fxshutdown.Draining(r.Context())
			io.WriteString(c, "goodbye")
		}))
		c := s.raw()
		c.get("/socket")
		receive(t, "the handler", entered)
		s.mustStop()
		if b, _ := io.ReadAll(c.br); !strings.HasSuffix(string(b), "\r\n\r\ngoodbye") {
			t.Errorf("connection got %q, want goodbye", b)
		}
		if r := s.Report(); !r.Graceful() || len(r.HijackedClosedRequests) != 0 {
			t.Errorf("Report() = %+v, want graceful", r)
		}
	}},

	// Without HijackGrace, hijacked connections are cut at the end and named, which is
	// not an error.
	{"CutAtTheEnd", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 3)
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) {
			defer c.Close()
			io.Copy(io.Discard, c)
		}), onPipe)
		for i := range 3 {
			c := s.raw()
			c.get(fmt.Sprintf("/socket/%d?secret", i))
			<-entered
			c.discard()
		}
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil: cut hijacked connections are not an error", err)
		}
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		r := s.Report()
		if len(r.HijackedClosedRequests) != 3 || len(r.AbortedRequests) != 0 || r.Graceful() {
			t.Errorf("Report() = %+v, want three cut, none aborted", r)
		}
		if got := fmt.Sprint(r.HijackedClosedRequests); strings.Contains(got, "secret") || !strings.Contains(got, "/socket/1") {
			t.Errorf("Report().HijackedClosedRequests = %v, want the paths without query", r.HijackedClosedRequests)
		}
		if e := event[*fxshutdown.HijackedClosed](s); !errors.Is(e.Reason, fxshutdown.ErrBudget) {
			t.Errorf("HijackedClosed = %+v, want ErrBudget", e)
		}
	}},

	// A connection that its handler hijacks and leaks is reported.
	{"Leaked", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		var leaked net.Conn
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) { leaked = c }), onPipe)
		c := s.raw()
		c.get("/leak")
		<-entered
		c.discard()
		synctest.Wait()
		if st := s.Stats(); st.Hijacked != 1 || st.InFlight != 0 {
			t.Errorf("Stats() = %+v, want one hijacked, none in flight", st)
		}
		if _, err := s.timeStop(time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if r := s.Report(); len(r.HijackedClosedRequests) != 1 || r.HijackedClosedRequests[0].Path != "/leak" {
			t.Errorf("Report().HijackedClosedRequests = %v, want /leak", r.HijackedClosedRequests)
		}
		if _, err := leaked.Write([]byte("x")); err == nil {
			t.Error("Write() on a connection that was cut = nil, want an error")
		}
		if err := leaked.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close() of a connection that was cut = %v", err)
		}
	}},

	// Closing twice counts once.
	{"ClosedTwice", sockets, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) { c.Close(); c.Close() }))
		s.raw().wire("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		eventually(t, "Stats() shows no connection", func() bool { return s.Stats().Open() == 0 })
		if st := s.Stats(); st.Accepted != 1 || st.Closed != 1 {
			t.Errorf("Stats() = %+v, want 1 accepted and closed", st)
		}
	}},

	// A handler that hijacks during the drain is counted as such.
	{"DuringDrain", sockets, h1Modes, func(t *testing.T, m mode) {
		entered, hijacked := make(chan struct{}), make(chan struct{}, 1)
		over := hijack(t, hijacked, func(c net.Conn, r *http.Request) { c.Close() })
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-fxshutdown.Draining(r.Context())
			over(w, r)
		})
		c := s.raw()
		c.get("/late")
		receive(t, "the handler", entered)
		s.mustStop()
		s.wantReport(account{hijacked: 1})
	}},

	{"Force", sockets, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) {
			defer c.Close()
			io.Copy(io.Discard, c)
		}))
		c := s.raw()
		c.get("/socket")
		receive(t, "the handler", entered)
		if err := s.Close(); err != nil {
			t.Errorf("Close() = %v, want nil: cut hijacked connections are not an error", err)
		}
		io.Copy(io.Discard, c.br)
		if r := s.Report(); len(r.HijackedClosedRequests) != 1 || r.HijackedClosedRequests[0].Path != "/socket" {
			t.Errorf("Report().HijackedClosedRequests = %v, want /socket", r.HijackedClosedRequests)
		}
	}},

	// srv.Close of net/http leaves hijacked connections alone, srv.Shutdown does not wait
	// for them; this Server does both, as its documentation says.
	{"ShutdownWaits", sockets, h1Modes, func(t *testing.T, m mode) {
		entered, leave := make(chan struct{}, 1), make(chan struct{})
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) { <-leave; c.Close() }))
		c := s.raw()
		c.get("/socket")
		receive(t, "the handler", entered)
		done := s.stopIn(0)
		pending(t, "Stop()", done)
		if st := s.Stats(); st.Hijacked != 1 {
			t.Errorf("Stats() = %+v, want one hijacked", st)
		}
		close(leave)
		wantStopped(t, done)
	}},

	{"Connect/HTTP1", sockets, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			defer c.Close()
			rw.WriteString("HTTP/1.1 200 OK\r\n\r\n")
			rw.Flush()
			io.Copy(c, rw)
		})
		c := s.raw()
		c.send("CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
		resp, err := http.ReadResponse(c.br, &http.Request{Method: http.MethodConnect})
		if err != nil {
			t.Fatal(err)
		}
		done := s.stopIn(0)
		c.send("ping")
		b := make([]byte, 4)
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "ping" {
			t.Errorf("tunnel during the drain: %q, %v; want ping", b, err)
		}
		pending(t, "Stop()", done)
		c.Close()
		wantStopped(t, done)
	}},

	{"Connect/HTTP2", sockets, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			b := make([]byte, 100)
			for {
				n, err := r.Body.Read(b)
				w.Write(b[:n])
				w.(http.Flusher).Flush()
				if err != nil {
					return
				}
			}
		})
		pr, pw := io.Pipe()
		req, err := http.NewRequest(http.MethodConnect, s.url(""), pr)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		done := s.stopIn(0)
		io.WriteString(pw, "ping")
		b := make([]byte, 4)
		if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "ping" {
			t.Errorf("tunnel during the drain: %q, %v; want ping", b, err)
		}
		pending(t, "Stop()", done)
		pw.Close()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("the tunnel ended with %q, %v", rest, err)
		}
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},
}

// hijack returns a handler that hijacks, and serves the connection as told.
func hijack(t *testing.T, entered chan<- struct{}, with func(net.Conn, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("Hijack() = %v", err)
			return
		}
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\n")
		rw.Flush()
		entered <- struct{}{}
		with(c, r)
	}
}
