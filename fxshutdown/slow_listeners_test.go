package fxshutdown_test

import (
	"context"
	"net"
	"net/http"
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
