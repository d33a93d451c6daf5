package fxshutdown_test

import (
	"context"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Durations that mean "for ever" must not overflow into "at once".
func TestHugeDurations(t *testing.T) {
	const huge = time.Duration(math.MaxInt64)
	for name, set := range map[string]func(*fxshutdown.Config){
		"DrainTimeout": func(c *fxshutdown.Config) { c.DrainTimeout = huge },
		"RequestGrace": func(c *fxshutdown.Config) { c.RequestGrace = huge },
		"HijackGrace":  func(c *fxshutdown.Config) { c.HijackGrace = huge },
		"StopReserve":  func(c *fxshutdown.Config) { c.StopReserve = huge },
		"Context":      func(*fxshutdown.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(time.Hour):
						hello(w, r)
					case <-r.Context().Done():
						t.Errorf("the request was cancelled: %v", context.Cause(r.Context()))
					}
				}, onPipe, config(set))
				time.Sleep(3 * time.Second)
				got := s.goGet(s.client(), "/")
				s.states.wait(t, http.StateActive, 1)
				ctx, cancel := context.WithTimeout(context.Background(), huge)
				defer cancel()
				if err := s.Stop(ctx); err != nil {
					t.Errorf("Stop() = %v, want nil", err)
				}
				(<-got).want(t, "hello")
			})
		})
	}
}

// slowListener has no SetDeadline.
type slowListener struct{ net.Listener }

// What waits in the queue of a listener without deadlines is served, however
// slowly it is accepted.
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

// handingListener has no SetDeadline, and takes its time to hand over what it
// has accepted, as one does that looks at the first bytes.
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

// What Accept has in its hands when the listener is closed is served.
func TestConnInAcceptsHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, h1, hello, func(_ *http.Server, cfg *fxshutdown.Config) {
			cfg.Listener = handingListener{newPipeListener(), 30 * time.Millisecond}
		})
		time.Sleep(time.Second)
		c := s.raw()
		c.get("/")
		time.Sleep(time.Millisecond) // it is in Accept's hands
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

// A successor that has taken the path of a unix socket over keeps it.
func TestUnixSuccessor(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a socket in use cannot be removed there")
	}
	path := filepath.Join(t.TempDir(), "socket")
	s := start(t, h1, hello, func(srv *http.Server, cfg *fxshutdown.Config) {
		srv.Addr, cfg.Network = path, "unix"
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	s.mustStop()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the successor's socket is gone: %v", err)
	}
	c.Close()
}

// Who connects to a unix socket while it is being closed is served or refused.
func TestUnixQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	s := start(t, h1, hello, func(srv *http.Server, cfg *fxshutdown.Config) {
		srv.Addr, cfg.Network = path, "unix"
	})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				c, err := net.Dial("unix", path)
				if err != nil {
					return // refused
				}
				raw := newRawConn(t, c)
				raw.get("/")
				raw.reply(http.MethodGet).want(t, "hello")
				c.Close()
			}
		})
	}
	s.states.wait(t, http.StateClosed, 32)
	s.mustStop()
	wg.Wait()
}
