package fxshutdown

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// logged is a Logger.
type logged chan Event

func (l logged) LogEvent(e Event) { l <- e }

// TestTellLimit has a server at its limit for ten minutes. It says so when somebody waits,
// a second later at most, and again a minute later.
func TestTellLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(logged, 100)
		f := &fakeSocket{comes: []time.Duration{150 * time.Second}}
		f.SetDeadline(time.Now().Add(time.Hour))
		l := newListener(f, newConnSet(new(http.Server)), newDispatcher(events), true)
		l.kernel = f
		l.conns.limit = 1
		server, client := net.Pipe()
		defer client.Close()
		l.conns.track(server)
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
		if e := (<-events).(*LimitReached); e.MaxConnections != 1 || e.Stats.Waiting != 1 || e.Stats.Open() != 1 {
			t.Errorf("LimitReached = %+v, want 1 of 1 open, 1 waiting", e)
		}
		for _, c := range f.conns {
			c.Close()
		}
	})
}
