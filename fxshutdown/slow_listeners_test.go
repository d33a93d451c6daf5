package fxshutdown_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// slowListener has no SetDeadline.
type slowListener struct{ net.Listener }

// Clients in the queue of a listener without deadlines are served, however slowly they
// are accepted.
func TestSlowAcceptWithoutDeadlines(t *testing.T) {
	const clients = 5 // 250 ms is the most that the queue is given
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, h1, hello, func(srv *http.Server, cfg *fxshutdown.Config) {
		cfg.Listener = slowListener{l}
		srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			time.Sleep(10 * time.Millisecond)
			return ctx
		}
	})
	conns := make([]*rawConn, clients)
	for i := range conns {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = newRawConn(t, c)
		conns[i].get("/")
	}
	s.start()
	s.mustStop()
	for _, c := range conns {
		c.reply(http.MethodGet).want(t, "hello")
	}
}

// handingListener has no SetDeadline, and takes its time to hand over what it has
// accepted, like a listener that looks at the first bytes.
type handingListener struct {
	*pipeListener
	takes time.Duration
}

func (l handingListener) Accept() (net.Conn, error) {
	c, err := l.pipeListener.Accept()
	if err == nil {
		time.Sleep(l.takes)
	}
	return c, err
}

// A connection that Accept has not returned yet when the listener is closed is served.
func TestConnInAcceptsHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, h1, hello, func(_ *http.Server, cfg *fxshutdown.Config) {
			cfg.Listener = handingListener{newPipeListener(), 30 * time.Millisecond}
		})
		time.Sleep(time.Second)
		c := s.raw()
		c.get("/")
		time.Sleep(time.Millisecond) // Accept has it, but has not returned it
		done := s.stopIn(0)
		c.reply(http.MethodGet).want(t, "hello")
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		s.wantReport(account{answered: 1})
	})
}

// blockedListener blocks in Close.
type blockedListener struct {
	net.Listener
	leave chan struct{}
}

func (l blockedListener) Close() error {
	<-l.leave
	return l.Listener.Close()
}

// A listener whose Close blocks does not hold a stop.
func TestBlockedListenerClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	blocked := blockedListener{l, make(chan struct{})}
	s := start(t, h1, hello, config(func(c *fxshutdown.Config) { c.Listener = blocked }))
	if err := receive(t, "Stop()", s.stopIn(10*time.Second)); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	close(blocked.leave)
}

// deadlineListener has a SetDeadline of its own.
type deadlineListener struct {
	net.Listener
	set func(time.Time) error
}

func (l deadlineListener) SetDeadline(t time.Time) error { return l.set(t) }

// A listener whose SetDeadline waits, for the Accept under way or for ever, does not hold
// a stop.
func TestBlockedListenerDeadline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		wrap func(net.Listener, <-chan struct{}) net.Listener
	}{
		{"WaitsForAccept", func(l net.Listener, _ <-chan struct{}) net.Listener {
			locked := &lockedListener{Listener: l}
			return deadlineListener{locked, locked.setDeadline}
		}},
		{"ForGood", func(l net.Listener, leave <-chan struct{}) net.Listener {
			return deadlineListener{l, func(time.Time) error { <-leave; return nil }}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for name, owned := range map[string]func() bool{
				"Unknown": nil,
				"Owned":   func() bool { return true },
				"Others":  func() bool { return false },
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					leave := make(chan struct{})
					defer close(leave)
					l := test.wrap(listen(t, "tcp", "127.0.0.1:0"), leave)
					s := start(t, h1, hello, on(l), idleGrace(patience), config(func(c *fxshutdown.Config) { c.ListenerOwned = owned }))
					c := s.raw()
					s.states.wait(t, http.StateNew, 1)
					done := s.stopIn(10 * time.Second)
					c.get("/")
					c.reply(http.MethodGet).want(t, "hello")
					wantStopped(t, done)
					if d := s.Report().Duration; d > 2*time.Second+slack {
						t.Errorf("the stop took %v, want no more than emptying the queue may take", d)
					}
				})
			}
			t.Run("ShortBudget", func(t *testing.T) {
				leave := make(chan struct{})
				defer close(leave)
				s := start(t, h1, hello, on(test.wrap(listen(t, "tcp", "127.0.0.1:0"), leave)))
				d, _ := s.timeStop(100 * ms)
				took(t, "Stop()", d, 0, 100*ms+slack)
			})
		})
	}
}

// A lockedListener allows one call at a time.
type lockedListener struct {
	net.Listener
	mu sync.Mutex
}

func (l *lockedListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Listener.Accept()
}

func (l *lockedListener) setDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Listener.(*net.TCPListener).SetDeadline(t)
}
