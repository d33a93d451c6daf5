package fxshutdown_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// ownedScenarios are about given listeners, and who owns them.
var ownedScenarios = []scenario{
	// Somebody else keeps the socket open: clients are served for as long as a
	// connection is left that was open before, and not longer.
	{"Shared/AcceptsOn", bubbles, h1Modes, func(t *testing.T, m mode) {
		s, g, slow := startHeld(t, m, "/slow", onPipe, owned(false))
		done := s.stopIn(0)
		for range 3 {
			time.Sleep(time.Minute)
			r := s.get(s.client(), "/quick")
			r.want(t, "hello")
			r.wantClose(t, true)
		}
		g.open()
		(<-slow).want(t, "hello")
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if r := s.wantReport(account{answered: 4}); r.Queued != 3 || !r.Graceful() {
			t.Errorf("Report() = %+v, want 3 queued, graceful", r)
		}
		if e := event[*fxshutdown.ListenerClosed](s); !e.Shared || e.Queued != 3 || e.Flooded || e.Unaccepted != 0 {
			t.Errorf("ListenerClosed = %+v, want shared, 3 queued, nothing lost", e)
		}
	}},

	// A client that came later does not keep the listener open.
	{"Shared/LateClientDoesNotHold", bubbles, h1Modes, func(t *testing.T, m mode) {
		early, late := newGate(), newGate()
		defer early.open()
		defer late.open()
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/early" {
				early.ServeHTTP(w, r)
			} else {
				late.ServeHTTP(w, r)
			}
		}, onPipe, owned(false))
		first := s.goGet(s.client(), "/early")
		early.waitEntered(t, 1)
		done := s.stopIn(0)
		second := s.goGet(s.client(), "/late")
		late.waitEntered(t, 1)
		began := time.Now()
		early.open()
		(<-first).want(t, "hello")
		event[*fxshutdown.ListenerClosed](s)
		took(t, "closing the listener", time.Since(began), 0, atOnce)
		if _, err := s.dial(context.Background()); err == nil {
			t.Error("a client was let in when the early ones had gone")
		}
		late.open()
		(<-second).want(t, "hello")
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	}},

	// The end of the budget closes the listener too.
	{"Shared/Forced", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		s, _, _ := startHeld(t, m, "/slow", onPipe, owned(false))
		if d, err := s.timeStop(10 * time.Second); err == nil || d > 10*time.Second {
			t.Errorf("Stop() = %v in %v, want an error in 10s", err, d)
		}
		event[*fxshutdown.ListenerClosed](s)
	}},

	// The socket is really shared: what is in its queue when our listener is closed is
	// left to the other listener.
	{"Shared/QueueIsLeft", sockets, []mode{h1}, func(t *testing.T, m mode) {
		l := listen(t, "tcp", "127.0.0.1:0")
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Skipf("no descriptor of it here: %v", err)
		}
		defer f.Close()
		s := start(t, m, hello, on(l), owned(false))
		s.mustStop()
		waiting, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatalf("Dial() = %v of a socket that another process keeps open", err)
		}
		c := newRawConn(t, waiting)
		c.get("/")
		next, err := net.FileListener(f)
		if err != nil {
			t.Fatal(err)
		}
		s2 := start(t, m, hello, on(next), owned(true))
		c.reply(http.MethodGet).want(t, "hello")
		s2.mustStop()
	}},

	// If another listener has the socket too, unknown to its owner, that listener gets
	// clients afterwards.
	{"Owned/HearsAgain", sockets, []mode{h1}, func(t *testing.T, m mode) {
		l := listenPlain(t)
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Skipf("no descriptor of it here: %v", err)
		}
		defer f.Close()
		s := start(t, m, hello, on(l), owned(true))
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		if e := event[*fxshutdown.ListenerClosed](s); e.Shared || e.FilterErr != nil && os.Geteuid() == 0 {
			t.Errorf("ListenerClosed = %+v, want it neither shared nor unfiltered", e)
		}
		// An ignored client would try again after a second.
		c, err := net.DialTimeout("tcp", s.Addr().String(), slack)
		if err != nil {
			t.Fatalf("Dial() = %v after the stop, of a socket that is still open", err)
		}
		c.Close()
	}},

	// New clients go to the successor: no load balancer has to send them elsewhere.
	{"HandedOver/NoDelay", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, delay(time.Minute), config(func(cfg *fxshutdown.Config) {
			cfg.ListenerHandedOver = func() bool { return true }
		}))
		s.get(s.client(), "/").want(t, "hello")
		time.Sleep(time.Second)
		s.mustStopIn(0, bound)
		wantSkipped(t, s, fxshutdown.SkipHandedOver)
	}},

	// A successor already accepts: nothing is taken from its queue, and no running
	// request keeps our listener open.
	{"HandedOver", bubbles, h1Modes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		l := newPipeListener()
		s := start(t, m, g.ServeHTTP, on(l), owned(true), config(func(cfg *fxshutdown.Config) {
			cfg.ListenerHandedOver = func() bool { return true }
		}))
		slow := s.goGet(s.client(), "/slow")
		g.waitEntered(t, 1)
		done := s.stopIn(0)
		if e := event[*fxshutdown.ListenerClosed](s); !e.Shared || e.Queued != 0 {
			t.Errorf("ListenerClosed = %+v, want shared, none queued", e)
		}
		receive(t, "the listener's Close", l.closed)
		g.open()
		(<-slow).want(t, "hello")
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	}},
}

// listenPlain listens without Multipath TCP.
func listenPlain(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// owned is a setting.
func owned(is bool) setting {
	return config(func(cfg *fxshutdown.Config) { cfg.ListenerOwned = func() bool { return is } })
}
