package fxshutdown_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// trafficScenarios are about requests that run, or come, while the server stops.
var trafficScenarios = []scenario{
	// http-shutdown: "with outstanding traffic": running requests finish.
	{"OutstandingTraffic", together, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP)
		const n = 20
		var replies []<-chan reply
		for range n {
			replies = append(replies, s.goGet(s.client(), "/slow"))
		}
		g.waitEntered(t, n)
		done := s.stopIn(patience)
		pending(t, "Stop()", done)
		if got := s.Stats().InFlight; got != n {
			t.Errorf("Stats().InFlight = %d, want %d", got, n)
		}
		g.open()
		for _, r := range replies {
			(<-r).want(t, "hello")
		}
		wantStopped(t, done)
		if r := s.wantReport(account{answered: n}); r.Connections != n || !r.Graceful() {
			t.Errorf("Report() = %+v, want %d connections, graceful", r, n)
		}
	}},

	// http-terminator: "ongoing requests receive {connection: close} header".
	// HTTP/2 has no such header.
	{"RunningResponsesSayClose", together, allModes, func(t *testing.T, m mode) {
		s, g, got := startHeld(t, m, "/slow")
		done := s.stopIn(patience)
		g.open()
		r := receive(t, "the client", got)
		r.want(t, "hello")
		r.wantClose(t, !m.h2)
		if m.h2 && r.err == nil && r.resp.Header.Get("Connection") != "" {
			t.Errorf("HTTP/2 response has Connection: %q", r.resp.Header.Get("Connection"))
		}
		wantStopped(t, done)
	}},

	// http-terminator: "… receive {connection: close} header when new request
	// is made reusing an existing socket".
	{"SecondRequestOverSameSocket", together, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, idleGrace(patience))
		c := s.raw()
		c.get("/first")
		r := c.reply(http.MethodGet)
		r.want(t, "hello")
		r.wantClose(t, false)
		s.states.wait(t, http.StateIdle, 1)
		done := s.stopIn(0)
		c.get("/second")
		r = c.reply(http.MethodGet)
		r.want(t, "hello")
		r.wantClose(t, true)
		c.waitClosed()
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},

	// A response whose header was written before the stop could not say close:
	// its client may send another request.
	{"RequestAfterCommittedResponse", together, h1Modes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hel")
			w.(http.Flusher).Flush()
			if r.URL.Path == "/committed" {
				<-release
			}
			io.WriteString(w, "lo")
		}, idleGrace(patience))
		c := s.raw()
		c.get("/committed")
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil {
			t.Fatal(err)
		}
		done := s.stopIn(0)
		close(release)
		b, err := io.ReadAll(resp.Body)
		if string(b) != "hello" || err != nil || resp.Close {
			t.Errorf("response committed before the stop: %q, %v, close %v; want hello, nil, false", b, err, resp.Close)
		}
		c.send("POST /next HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")
		r := c.reply(http.MethodPost)
		r.want(t, "hello")
		r.wantClose(t, true)
		wantStopped(t, done)
		s.wantReport(account{answered: 2})
	}},

	// http-terminator: "does not send {connection: close} when server is not
	// terminating".
	{"NoCloseHeaderWithoutStop", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		c := s.client()
		for range 3 {
			r := s.get(c, "/")
			r.want(t, "hello")
			r.wantClose(t, false)
		}
	}},

	{"OneConnectionWithoutStop", together, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		c := s.raw()
		for range 3 {
			c.get("/")
			c.reply(http.MethodGet).want(t, "hello")
		}
		if got := s.states.count(http.StateNew); got != 1 {
			t.Errorf("three requests used %d connections, want 1", got)
		}
	}},

	// http-terminator: "returns (httpServer) when the last connection closes"
	// and not a polling interval later. The exact time is in TestTiming.
	{"ReturnsWithLastResponse", together, allModes, func(t *testing.T, m mode) {
		s, g, got := startHeld(t, m, "/slow")
		done := s.stopIn(0)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		began := time.Now()
		wantStopped(t, done)
		if took := time.Since(began); took > slack {
			t.Errorf("Stop() returned %v after the last response", took)
		}
	}},

	// The first request comes on a connection that was made before the stop.
	{"LateFirstRequest", together, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, idleGrace(patience))
		const n = 400
		conns := make([]*rawConn, n)
		for i := range conns {
			conns[i] = s.raw()
		}
		done := s.stopIn(0)
		time.Sleep(3 * ms) // not before the stop is well under way
		for i, c := range conns {
			go c.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i))
		}
		for _, c := range conns {
			r := c.reply(http.MethodGet)
			r.want(t, "hello")
			r.wantClose(t, true)
		}
		wantStopped(t, done)
		s.wantReport(account{answered: n})
	}},

	// An upload is half done when the stop begins.
	{"Upload", together, allModes, func(t *testing.T, m mode) {
		half := make(chan struct{})
		const size = 1 << 20
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			io.CopyN(io.Discard, r.Body, size)
			close(half)
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		})
		pr, pw := io.Pipe()
		got := make(chan reply, 1)
		c := s.client()
		go func() { got <- s.do(c, http.MethodPost, "/upload", pr) }()
		chunk := strings.Repeat("u", size)
		io.WriteString(pw, chunk)
		receive(t, "half of the upload", half)
		done := s.stopIn(patience)
		io.WriteString(pw, chunk)
		pw.Close()
		receive(t, "the client", got).want(t, fmt.Sprint(size, nil))
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},

	// A download is under way when the stop begins, to a client that reads slowly: the
	// handler is long done when the last byte is read.
	{"Download", together, allModes, func(t *testing.T, m mode) {
		const size = 8 << 20
		body := strings.Repeat("d", size)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) })
		c := s.client()
		resp, err := c.Get(s.url("/download"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		done := s.stopIn(patience)
		n, err := io.Copy(io.Discard, resp.Body)
		if n != size || err != nil {
			t.Errorf("download = %d bytes, %v; want %d, nil", n, err, size)
		}
		wantStopped(t, done)
	}},

	// TestGoAway checks that an HTTP/2 client is told to go, by a frame, while its
	// stream runs, and that the stream is answered.
	{"GoAway", together, h2Modes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP)
		c := s.rawH2()
		c.get(1, "/slow")
		g.waitEntered(t, 1)
		done := s.stopIn(patience)
		c.until(func(f frame) bool { return f.kind == frameGoAway })
		g.open()
		c.until(func(f frame) bool { return f.stream == 1 && f.ended() })
		c.untilClosed()
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},
}
