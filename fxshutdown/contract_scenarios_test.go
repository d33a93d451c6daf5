package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestScenario runs what http-shutdown, http-terminator and stoppable promise
// in their published tests, over each protocol.
func TestScenario(t *testing.T) {
	// http-shutdown: "Shutdown should cut off server with no traffic".
	t.Run("NoTraffic", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			s.mustStop()
			if _, err := s.dial(context.Background()); err == nil {
				t.Error("a dial after Stop: connected, want it refused")
			}
			if r := s.wantReport(account{}); !r.Graceful() || r.Trigger != "stop" || r.Connections != 0 {
				t.Errorf("Report() = %+v, want graceful, trigger stop, no connections", r)
			}
		})
	})

	// http-shutdown: "with outstanding traffic": what runs is finished.
	t.Run("OutstandingTraffic", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
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
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if r := s.wantReport(account{answered: n}); r.Connections != n || !r.Graceful() {
				t.Errorf("Report() = %+v, want %d connections, graceful", r, n)
			}
		})
	})

	// http-shutdown: "forceShutdown": nothing is waited for.
	t.Run("Forced", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			release := make(chan struct{})
			entered := make(chan context.Context, 1)
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				entered <- r.Context()
				<-release
			})
			defer close(release)
			got := s.goGet(s.client(), "/slow")
			ctx := receive(t, "the handler", entered)
			err := s.Close()
			wantAborted(t, "Close()", err, fxshutdown.ErrForced, "/slow")
			if r := receive(t, "the client", got); r.err == nil {
				t.Errorf("response = %v, want none", r.resp.Status)
			}
			receive(t, "the request's context", ctx.Done())
			if got := context.Cause(ctx); !errors.Is(got, fxshutdown.ErrForced) {
				t.Errorf("context.Cause() = %v, want ErrForced", got)
			}
			r := s.wantReport(account{aborted: 1})
			if r.Graceful() || !errors.Is(r.Forced, fxshutdown.ErrForced) || r.Trigger != "close" {
				t.Errorf("Report() = %+v, want it forced by close", r)
			}
			if !r.Aborted[0].Running {
				t.Errorf("Report().Aborted = %+v, want Running: the handler has not returned", r.Aborted)
			}
			if got := s.Err(); !errors.Is(got, err) {
				t.Errorf("Err() = %v, want %v", got, err)
			}
		})
	})

	// http-terminator: "terminates hanging sockets after httpResponseTimeout".
	t.Run("HangingSocketEndsAtTimeout", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP)
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			const budget = time.Second
			ctx, cancel := context.WithTimeout(context.Background(), budget)
			defer cancel()
			began := time.Now()
			err := s.Stop(ctx)
			took := time.Since(began)
			wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/slow")
			if took < budget*8/10 || took > budget+slack {
				t.Errorf("Stop() took %v of %v, want nearly all of it and no more", took, budget)
			}
			if r := receive(t, "the client", got); r.err == nil {
				t.Errorf("response = %v, want none", r.resp.Status)
			}
			s.wantReport(account{aborted: 1})
		})
	})

	// http-terminator: "server stops accepting new connections after terminate".
	t.Run("NoNewConnections", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP)
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			done := s.stopIn(patience)
			event[*fxshutdown.ListenerClosed](s)
			if r := s.get(s.client(), "/quick"); r.err == nil {
				t.Errorf("a new connection during the stop: %v, want it refused", r.resp.Status)
			}
			g.open()
			receive(t, "the client", got).want(t, "hello")
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})

	// http-terminator: "ongoing requests receive {connection: close} header".
	// HTTP/2 has no such header.
	t.Run("RunningResponsesSayClose", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP)
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			done := s.stopIn(patience)
			g.open()
			r := receive(t, "the client", got)
			r.want(t, "hello")
			r.wantClose(t, !m.h2)
			if m.h2 && r.err == nil && r.resp.Header.Get("Connection") != "" {
				t.Errorf("HTTP/2 response has Connection: %q", r.resp.Header.Get("Connection"))
			}
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})

	// http-terminator: "… receive {connection: close} header when new request
	// is made reusing an existing socket".
	t.Run("SecondRequestOverSameSocket", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
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
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})

	// A response whose header was written before the stop could not say close:
	// its client may send another request.
	t.Run("RequestAfterCommittedResponse", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
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
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 2})
		})
	})

	// http-terminator: "does not send {connection: close} when server is not
	// terminating".
	t.Run("NoCloseHeaderWithoutStop", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			c := s.client()
			for range 3 {
				r := s.get(c, "/")
				r.want(t, "hello")
				r.wantClose(t, false)
			}
		})
	})
	t.Run("OneConnectionWithoutStop", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			c := s.raw()
			for range 3 {
				c.get("/")
				c.reply(http.MethodGet).want(t, "hello")
			}
			if got := s.states.count(http.StateNew); got != 1 {
				t.Errorf("three requests used %d connections, want 1", got)
			}
		})
	})

	// http-terminator: "empties internal socket collection".
	t.Run("BookkeepingEmpties", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			const n = 5
			for range n {
				c := s.client()
				s.get(c, "/").want(t, "hello")
				c.CloseIdleConnections()
			}
			s.states.wait(t, http.StateClosed, n)
			eventually(t, "Stats() shows no connection", func() bool { return s.Stats().Open() == 0 })
			want := fxshutdown.Stats{Accepted: n, Closed: n, Requests: n}
			if got := s.Stats(); got != want {
				t.Errorf("Stats() = %+v, want %+v", got, want)
			}
		})
	})

	// http-terminator: "returns (httpServer) when the last connection closes"
	// and not a polling interval later. The exact time is in TestTiming.
	t.Run("ReturnsWithLastResponse", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP)
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			done := s.stopIn(0)
			g.open()
			receive(t, "the client", got).want(t, "hello")
			began := time.Now()
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if took := time.Since(began); took > slack {
				t.Errorf("Stop() returned %v after the last response", took)
			}
		})
	})

	// stoppable: keep-alive connections are ended.
	t.Run("KeepAliveEnded", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			const n = 10
			for range n {
				s.get(s.client(), "/").want(t, "hello")
			}
			s.states.wait(t, http.StateIdle, n)
			if got := s.Stats().Open(); got != n {
				t.Errorf("Stats().Open() = %d, want %d", got, n)
			}
			began := time.Now()
			s.mustStop()
			if took := time.Since(began); took > fxshutdown.DefaultIdleGrace+2*slack {
				t.Errorf("Stop() with idle connections took %v", took)
			}
			r := s.wantReport(account{})
			if r.Connections != n || !r.Graceful() {
				t.Errorf("Report() = %+v, want %d connections, graceful", r, n)
			}
		})
	})

	// stoppable: "with a 0.5 second grace", and the callback's gracefully flag.
	t.Run("Grace", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := start(t, m, g.ServeHTTP, config(func(c *fxshutdown.Config) { c.DrainTimeout = slack }))
			quick, slow := s.client(), s.client()
			s.get(quick, "/quick").want(t, "hello")
			s.states.wait(t, http.StateIdle, 1)
			got := s.goGet(slow, "/slow")
			g.waitEntered(t, 1)
			began := time.Now()
			err := s.Stop(context.Background())
			if took := time.Since(began); took < slack || took > 2*slack {
				t.Errorf("Stop() with a DrainTimeout of %v took %v", slack, took)
			}
			wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/slow")
			if r := receive(t, "the client", got); r.err == nil {
				t.Errorf("response = %v, want none", r.resp.Status)
			}
			if r := s.wantReport(account{aborted: 1}); r.Graceful() {
				t.Error("Report().Graceful() = true after an abort")
			}
		})
	})

	// The first request of a connection that was made before the stop.
	t.Run("LateFirstRequest", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
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
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: n})
		})
	})

	// Connections in the accept queue are clients that believe they are connected.
	t.Run("AcceptQueue", func(t *testing.T) {
		inModes(t, h1Modes, func(t *testing.T, m mode) {
			s := start(t, m, hello, idleGrace(patience))
			const n = 64
			conns := make([]net.Conn, n)
			var dials sync.WaitGroup
			for i := range conns {
				dials.Go(func() { conns[i] = s.socket() })
			}
			dials.Wait()
			done := s.stopIn(0)
			replies := make(chan reply, n)
			for _, c := range conns {
				go func() {
					if m.tls {
						c = tls.Client(c, &tls.Config{RootCAs: rootCAs, ServerName: "localhost"})
					}
					rc := newRawConn(t, c)
					rc.get("/")
					replies <- rc.reply(http.MethodGet)
				}()
			}
			for range n {
				receive(t, "a queued client", replies).want(t, "hello")
			}
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: n})
		})
	})

	// An upload that is half done when the stop begins.
	t.Run("Upload", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
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
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.wantReport(account{answered: 1})
		})
	})

	// A download under way when the stop begins, to a client that reads slowly:
	// the handler is long done when the last byte is read.
	t.Run("Download", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
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
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
		})
	})

	t.Run("Callbacks", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			g := newGate()
			defer g.open()
			s := newServer(t, m, g.ServeHTTP)
			called := make(chan bool, 10)
			s.http.RegisterOnShutdown(func() { called <- true })
			s.start()
			s.http.RegisterOnShutdown(func() { called <- true })
			got := s.goGet(s.client(), "/slow")
			g.waitEntered(t, 1)
			pending(t, "RegisterOnShutdown", called)
			done := s.stopIn(patience)
			receive(t, "RegisterOnShutdown", called)
			receive(t, "RegisterOnShutdown", called)
			g.open()
			receive(t, "the client", got).want(t, "hello")
			if err := receive(t, "Stop()", done); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			s.Close()
			pending(t, "RegisterOnShutdown", called)
		})
	})

	t.Run("EventsInOrder", func(t *testing.T) {
		inModes(t, allModes, func(t *testing.T, m mode) {
			s := start(t, m, hello)
			s.get(s.client(), "/").want(t, "hello")
			s.mustStop()
			stopped := event[*fxshutdown.Stopped](s)
			want := "[Started Stopping DrainBegan ListenerClosed Stopped]"
			if got := fmt.Sprint(s.events.names()); got != want {
				t.Errorf("events = %v, want %v", got, want)
			}
			if got, want := fmt.Sprintf("%+v", stopped.Report), fmt.Sprintf("%+v", s.Report()); got != want {
				t.Errorf("Stopped.Report = %v, want Report() = %v", got, want)
			}
			var phases []string
			for _, p := range s.Report().Phases {
				phases = append(phases, p.Name)
			}
			if got, want := fmt.Sprint(phases), "[announce listener drain]"; got != want {
				t.Errorf("Report().Phases = %v, want %v", got, want)
			}
		})
	})
}

// TestGoAway checks that an HTTP/2 client is told to go, by a frame, while its
// stream runs, and that the stream is answered.
func TestGoAway(t *testing.T) {
	inModes(t, h2Modes, func(t *testing.T, m mode) {
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
		if err := receive(t, "Stop()", done); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		s.wantReport(account{answered: 1})
	})
}
