package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// limitScenarios are about Config.MaxConnections.
var limitScenarios = []scenario{
	// A client that comes when all slots are taken waits until one is free. An idle
	// connection has a slot.
	{"Waits", together, []mode{h1, h2}, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, limit(2))
		first, second, third := s.client(), s.client(), s.client()
		slow := []<-chan reply{s.goGet(first, "/slow"), s.goGet(second, "/slow")}
		g.waitEntered(t, 2)
		waiting := s.goGet(third, "/quick")
		if e := event[*fxshutdown.LimitReached](s); e.MaxConnections != 2 || e.Stats.Open() != 2 {
			t.Errorf("LimitReached = %+v, want 2 of 2 open", e)
		}
		if hasKernel && s.Stats().InQueue != 1 {
			t.Errorf("Stats().InQueue = %d, want 1", s.Stats().InQueue)
		}
		g.open()
		for _, r := range slow { // otherwise their connections are not idle, as the clients see it
			receive(t, "a slow response", r).want(t, "hello")
		}
		eventually(t, "both are idle", func() bool { return s.Stats().Idle == 2 })
		pending(t, "the third client's response", waiting)
		first.CloseIdleConnections()
		receive(t, "the third client", waiting).want(t, "hello")
		if n := s.Stats().Open(); n != 2 {
			t.Errorf("Stats().Open() = %d, want 2", n)
		}
	}},

	// A hijacked connection has a slot until it is closed.
	{"Hijacked", together, []mode{h1}, func(t *testing.T, m mode) {
		hijacked := make(chan net.Conn, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/hijack" {
				hello(w, r)
				return
			}
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
			}
			hijacked <- c
		}, limit(1))
		s.raw().get("/hijack")
		c := receive(t, "the hijack", hijacked)
		s.calls.wait(t)
		waiting := s.goGet(s.client(), "/")
		event[*fxshutdown.LimitReached](s)
		pending(t, "the second client's response", waiting)
		c.Close()
		receive(t, "the second client", waiting).want(t, "hello")
	}},

	// At a stop, all clients that wait are answered, but no more at a time than before.
	{"QueueAtStop", together, allModes, func(t *testing.T, m mode) { queueAtStop(t, m) }},
	{"QueueAtStop/Given", together, h1Modes, func(t *testing.T, m mode) {
		queueAtStop(t, m, on(listen(t, "tcp", "127.0.0.1:0")))
	}},
	{"QueueAtStop/NoSetDeadline", together, h1Modes, func(t *testing.T, m mode) {
		queueAtStop(t, m, on(struct{ net.Listener }{listen(t, "tcp", "127.0.0.1:0")}))
	}},
	{"QueueAtStop/Unix", together, h1Modes, func(t *testing.T, m mode) {
		queueAtStop(t, m, network("unix", filepath.Join(t.TempDir(), "s")))
	}},

	// Idle connections that have all slots leave them to the clients that wait.
	{"IdleAtStop", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, limit(4), idleGrace(2*grace))
		for range 4 {
			s.idleClient()
		}
		eventually(t, "all are idle", func() bool { return s.Stats().Idle == 4 })
		replies := s.goGetEach(8)
		s.mustStop()
		for _, r := range replies {
			receive(t, "a client of the queue", r).want(t, "hello")
		}
		if r := s.wantReport(account{answered: 8}); r.Queued != 8 || r.IdleClosed < 4 || !r.Graceful() {
			t.Errorf("Report() = %+v, want 8 queued, 4 dropped, graceful", r)
		}
	}},

	// If nobody waits, the listener is closed at once, whatever runs.
	{"NobodyWaits", together, h1Modes, func(t *testing.T, m mode) {
		if !hasKernel {
			t.Skip("this system does not report the length of the queue")
		}
		s, g, got := startHeld(t, m, "/slow", limit(1))
		done := s.stopIn(patience)
		event[*fxshutdown.ListenerClosed](s)
		pending(t, "Stop()", done)
		g.open()
		receive(t, "the client", got).want(t, "hello")
		wantStopped(t, done)
	}},

	// Slots that do not become free do not hold the stop beyond its budget.
	{"NeverFree", together, allModes, func(t *testing.T, m mode) {
		wantUnaccepted(neverFree(t, m), 5)
	}},
	{"NeverFree/NoSetDeadline", together, []mode{h1}, func(t *testing.T, m mode) {
		neverFree(t, m, on(struct{ net.Listener }{listen(t, "tcp", "127.0.0.1:0")}))
	}},
	{"NeverFree/Close", together, []mode{h1}, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/slow", limit(1))
		s.goGetEach(3)
		done := s.stopIn(0)
		pending(t, "Stop()", done)
		began := time.Now()
		s.Close()
		took(t, "Close()", time.Since(began), 0, slack)
		if err := receive(t, "Stop()", done); !errors.Is(err, fxshutdown.ErrForced) {
			t.Errorf("Stop() = %v, want ErrForced", err)
		}
		wantUnaccepted(s, 3)
	}},

	// RequestGrace does not wait for the queue.
	{"RequestGrace", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s := start(t, m, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, onPipe, limit(1),
			config(func(cfg *fxshutdown.Config) { cfg.RequestGrace = time.Minute }))
		s.goGet(s.client(), "/slow")
		eventually(t, "it runs", func() bool { return s.Stats().InFlight == 1 })
		s.goGet(s.client(), "/waits")
		synctest.Wait() // it has dialed
		s.mustStopIn(time.Minute, time.Minute+bound)
		s.wantReport(account{answered: 2, cancelled: 2})
	}},

	// The queue of a socket that somebody else keeps open is left to them when the
	// connections that were open before are gone.
	{"Shared", bubbles, h1Modes, func(t *testing.T, m mode) {
		s, g, slow := startHeld(t, m, "/slow", onPipe, owned(false), limit(1))
		waiting := s.goGet(s.client(), "/waits")
		synctest.Wait()
		done := s.stopIn(0)
		time.Sleep(time.Minute)
		pending(t, "Stop()", done)
		g.open()
		(<-slow).want(t, "hello")
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		<-waiting
	}},

	// LimitReached comes once a minute.
	{"SaidNowAndThen", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s, g, slow := startHeld(t, m, "/slow", onPipe, limit(1))
		said := func() (n int) {
			for _, name := range s.events.names() {
				if name == "LimitReached" {
					n++
				}
			}
			return n
		}
		for minute := range 3 {
			time.Sleep(time.Second)
			if got := said(); got != minute+1 {
				t.Errorf("LimitReached came %d times in %d minutes and a second", got, minute)
			}
			time.Sleep(time.Minute - time.Second)
		}
		g.open()
		(<-slow).want(t, "hello")
	}},
}

// hasKernel says whether the system reports how many clients wait in the queue of a TCP
// listener.
const hasKernel = runtime.GOOS == "linux"

// limit is a setting.
func limit(n int) setting {
	return config(func(cfg *fxshutdown.Config) { cfg.MaxConnections = n })
}

// goGetEach sends a request on each of n new connections, which their clients close
// when they have the response, and returns when all of these are in the accept queue or
// beyond it.
func (s *server) goGetEach(n int) []<-chan reply {
	s.t.Helper()
	dialed := make(chan struct{}, n)
	dial := func(ctx context.Context) (net.Conn, error) {
		c, err := s.dial(ctx)
		dialed <- struct{}{}
		return c, err
	}
	replies := make([]<-chan reply, n)
	for i := range replies {
		c, got := clientOf(s.t, s.mode, dial), make(chan reply, 1)
		replies[i] = got
		go func() {
			got <- s.get(c, fmt.Sprint("/", i))
			c.CloseIdleConnections()
		}()
	}
	for range n {
		receive(s.t, "a dial", dialed)
	}
	return replies
}

// queueAtStop stops a server that has fewer slots than clients.
func queueAtStop(t *testing.T, m mode, settings ...setting) {
	const most, clients, each = 4, 20, 50 * ms
	var s *server // whose Draining the handler looks at
	var running atomic.Int32
	s = newServer(t, m, func(w http.ResponseWriter, r *http.Request) {
		if n := running.Add(1); n > most {
			t.Errorf("%d requests run, each on a connection of its own, want at most %d", n, most)
		}
		defer running.Add(-1)
		<-s.Draining()
		time.Sleep(each) // what a request takes, here
		hello(w, r)
	}, append(settings, limit(most), idleGrace(patience/2))...)
	s.start()
	replies := s.goGetEach(clients)
	eventually(t, "all slots are taken", func() bool { return running.Load() == most })
	s.mustStop()
	for _, r := range replies {
		receive(t, "a client", r).want(t, "hello")
	}
	r := s.wantReport(account{answered: clients})
	// Some may have been accepted before the stop came to empty the queue.
	if r.Queued == 0 || r.Queued > clients-most || s.Stats().Accepted != clients || !r.Graceful() {
		t.Errorf("Report() = %+v, want up to %d queued, %d accepted, graceful", r, clients-most, clients)
	}
	took(t, "Stop()", r.Duration, clients/most*each, patience)
}

// neverFree stops a server whose only slot has a request that does not end, while five
// clients wait.
func neverFree(t *testing.T, m mode, settings ...setting) *server {
	s, _, _ := startHeld(t, m, "/slow", append(settings, limit(1))...)
	s.goGetEach(5)
	d, err := s.timeStop(500 * ms)
	if !errors.Is(err, fxshutdown.ErrBudget) {
		t.Errorf("Stop() = %v, want ErrBudget", err)
	}
	took(t, "Stop()", d, 400*ms, 500*ms+slack)
	return s
}

// wantUnaccepted checks that a stop left n clients in the queue, and says so.
func wantUnaccepted(s *server, n int) {
	s.t.Helper()
	if !hasKernel {
		return
	}
	r := s.Report()
	if e := event[*fxshutdown.ListenerClosed](s); e.Unaccepted != r.Unaccepted {
		s.t.Errorf("ListenerClosed = %+v, want %d unaccepted as Report", e, r.Unaccepted)
	}
	if r.Unaccepted != n || r.Graceful() {
		s.t.Errorf("Report() = %+v, want %d unaccepted, not graceful", r, n)
	}
}
