package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// connectionScenarios are about connections on which nothing runs, on real sockets. The
// exact times of their stops are among the idleScenarios.
var connectionScenarios = []scenario{
	// http-shutdown: "Shutdown should cut off server with no traffic".
	{"NoTraffic", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		s.mustStop()
		if _, err := s.dial(context.Background()); err == nil {
			t.Error("a dial after Stop: connected, want it refused")
		}
		if r := s.wantReport(account{}); !r.Graceful() || r.Trigger != "stop" || r.Connections != 0 {
			t.Errorf("Report() = %+v, want graceful, trigger stop, no connections", r)
		}
	}},

	// http-terminator: "server stops accepting new connections after terminate".
	{"NoNewConnections", together, allModes, func(t *testing.T, m mode) {
		s, g, got := startHeld(t, m, "/slow")
		done := s.stopIn(patience)
		event[*fxshutdown.ListenerClosed](s)
		if r := s.get(s.client(), "/quick"); r.err == nil {
			t.Errorf("a new connection during the stop: %v, want it refused", r.resp.Status)
		}
		g.open()
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
		s.wantReport(account{answered: 1})
	}},

	// http-terminator: "empties internal socket collection".
	{"BookkeepingEmpties", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		const n = 5
		for range n {
			c := s.client()
			s.get(c, "/").want(t, "hello")
			c.CloseIdleConnections()
		}
		s.states.wait(t, http.StateClosed, n)
		eventually(t, "Stats() shows no connection", func() bool { return s.Stats().Open() == 0 })
		want := fxshutdown.Stats{Accepted: n, Closed: n, Requests: n, Answered: n}
		if got := s.Stats(); got != want {
			t.Errorf("Stats() = %+v, want %+v", got, want)
		}
	}},

	// stoppable: keep-alive connections are ended.
	{"KeepAliveEnded", together, allModes, func(t *testing.T, m mode) {
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
	}},

	// Connections in the accept queue are clients that believe they are connected.
	{"AcceptQueue", together, h1Modes, func(t *testing.T, m mode) {
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
		wantStopped(t, done)
		s.wantReport(account{answered: n})
	}},

	{"Silent", together, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		for range 50 {
			s.raw()
		}
		s.states.wait(t, http.StateNew, 50)
		measureIdle(t, s, bound)
	}},

	{"HalfHeader", together, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		for range 50 {
			s.raw().send("GET / HTTP/1.1\r\nHo")
		}
		s.states.wait(t, http.StateNew, 50)
		measureIdle(t, s, bound)
	}},

	{"HTTP2", together, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		for range 20 {
			s.idleClient()
		}
		s.states.wait(t, http.StateIdle, 20)
		measureIdle(t, s, 500*ms)
		if r := s.Report(); r.IdleClosed != 20 {
			t.Errorf("Report().IdleClosed = %d, want all 20", r.IdleClosed)
		}
	}},

	// Since Go 1.27 Go's client closes an idle connection when GOAWAY comes.
	{"HTTP2GoClient", together, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		for range 20 {
			s.get(s.client(), "/").want(t, "hello")
		}
		s.states.wait(t, http.StateIdle, 20)
		measureIdle(t, s, 500*ms)
	}},

	{"HTTP2Raw", together, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		for range 20 {
			c := s.rawH2()
			c.getWhole(1, "/")
		}
		s.states.wait(t, http.StateIdle, 20)
		measureIdle(t, s, bound)
	}},

	// A flood of new connections never lets the accept queue run empty.
	{"Flood", sockets, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, hello)
		at := s.Addr().String()
		over := make(chan struct{})
		var dialers sync.WaitGroup
		for range 8 {
			dialers.Go(func() {
				for !isClosed(over) {
					if c, err := net.Dial("tcp", at); err == nil {
						c.(*net.TCPConn).SetLinger(0) // Leaves no port in TIME_WAIT.
						c.Close()
					}
				}
			})
		}
		honest := s.goGet(s.client(), "/")
		receive(t, "an honest client", honest).want(t, "hello")
		d, err := s.timeStop(patience)
		close(over)
		dialers.Wait()
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 0, 2*time.Second+slack)
	}},
}

// idleClient opens a connection, gets a response on it, and closes it when the server has.
func (s *server) idleClient() {
	s.t.Helper()
	if s.mode.h2 {
		c := s.rawH2()
		c.getWhole(1, "/")
		go func() { c.untilClosed(); c.Close() }()
		return
	}
	c := s.raw()
	c.get("/")
	c.reply(http.MethodGet).want(s.t, "hello")
	go func() { c.waitClosed(); c.Close() }()
}

// measureIdle stops a server with idle clients, which takes no longer than limit.
func measureIdle(t *testing.T, s *server, limit time.Duration) {
	t.Helper()
	d, err := s.timeStop(patience)
	if err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	took(t, "Stop()", d, 0, limit+2*slack)
	s.wantReport(account{})
}
