package fxshutdown

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// logged is a Logger.
type logged chan Event

func (l logged) LogEvent(e Event) { l <- e }

// limited returns a listener on f at its limit of one connection.
func limited(f *fakeSocket, events Logger) *listener {
	f.SetDeadline(time.Now().Add(time.Hour))
	l := newListener(f, newConnSet(new(http.Server)), newDispatcher(events), true)
	l.kernel = f
	l.conns.maxOpen = 1
	server, client := net.Pipe()
	f.conns = append(f.conns, client)
	l.conns.track(server)
	return l
}

// TestTellLimit has a server at its limit for ten minutes. It emits LimitReached at most
// a second after a client begins to wait, and again a minute later.
func TestTellLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(logged, 100)
		f := &fakeSocket{comes: []time.Duration{150 * time.Second}}
		l := limited(f, events)
		go func() {
			time.Sleep(149 * time.Second)
			synctest.Wait()
			if len(events) != 0 {
				t.Errorf("%d events before somebody waited", len(events))
			}
			time.Sleep(7*time.Minute + 31*time.Second)
			l.conns.remove(l.conns.list.head)
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if d := f.since(); d != 10*time.Minute {
			t.Errorf("accepted after %v, want it when there was room", d)
		}
		defer c.Close()
		synctest.Wait()
		if len(events) != 8 {
			t.Fatalf("%d events in 7m30s, want 8", len(events))
		}
		if e := (<-events).(*LimitReached); e.MaxConnections != 1 || e.Stats.InQueue != 1 || e.Stats.Open() != 1 {
			t.Errorf("LimitReached = %+v, want 1 of 1 open, 1 waiting", e)
		}
		for _, c := range f.conns {
			c.Close()
		}
	})
}

// TestLimitEnds ends the listener while it waits for room: before its queue is emptied,
// and while it is.
func TestLimitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeSocket{comes: []time.Duration{0}}
		l := limited(f, nil)
		go func() {
			time.Sleep(100 * time.Millisecond)
			close(l.closing)
			synctest.Wait()
			if !isClosed(l.starved) {
				t.Error("it does not let the drain begin")
			}
			l.Close()
		}()
		c, err := l.Accept()
		if c != nil || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept() = %v, %v, want net.ErrClosed", c, err)
		}
		if d := f.since(); d != 100*time.Millisecond || l.left != 1 {
			t.Errorf("closed after %v with %d in its queue, want 100ms and 1", d, l.left)
		}
		f.conns[0].Close()
	})
}
