package fxshutdown

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type textAddr string

func (a textAddr) Network() string { return "tcp" }
func (a textAddr) String() string  { return string(a) }

// TestClientKey compares addresses: those of one client have one key.
func TestClientKey(t *testing.T) {
	tcp := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	unix := func(s string) net.Addr { return &net.UnixAddr{Name: s, Net: "unix"} }
	for _, test := range []struct {
		name string
		a, b net.Addr
		same bool
	}{
		{"ports", tcp("192.0.2.1:1"), tcp("192.0.2.1:2"), true},
		{"hosts", tcp("192.0.2.1:1"), tcp("192.0.2.2:1"), false},
		{"IPv6 ports", tcp("[2001:db8::1]:1"), tcp("[2001:db8::1]:2"), true},
		{"IPv4 in IPv6", tcp("192.0.2.1:1"), textAddr("[::ffff:192.0.2.1]:2"), true},
		{"a listener's own type", tcp("192.0.2.1:1"), textAddr("192.0.2.1:2"), true},
		{"unix peers", unix(""), unix("@peer"), true},
		{"unix and TCP", unix(""), tcp("192.0.2.1:1"), false},
		{"no addresses", nil, nil, true},
		{"other texts", textAddr("pipe"), textAddr("pipe 2"), false},
		{"the same text", textAddr("pipe"), textAddr("pipe"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if same := clientKey(test.a) == clientKey(test.b); same != test.same {
				t.Errorf("%v and %v are one client = %v, want %v", test.a, test.b, same, test.same)
			}
		})
	}
}

// TestClientQuiet takes one connection of a client through events, and looks since when
// the client is quiet, as another of its connections sees it.
func TestClientQuiet(t *testing.T) {
	const second = moment(time.Second)
	for _, test := range []struct {
		events string // each a second after the one before
		want   moment // since the connections retired; -1: it is not quiet
	}{
		{"", 0},
		{"begin", -1},
		{"begin return", 2 * second},
		{"begin return idle", 3 * second},
		{"begin return closewrite", 3 * second},
		{"begin panic", 2 * second},
		{"begin hijack", 2 * second},
		{"begin hijack return", 2 * second},
		{"begin begin return", -1},
		{"begin closed return", 0}, // a request that runs on is not a sign of a client that is gone
		{"begin return begin return", 4 * second},
	} {
		t.Run(test.events, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newPipeConn(t)
				c.stage.setLocked(stageActive)
				raw, _ := net.Pipe()
				other, _ := c.set.track(raw)
				other.(*conn).stage.setLocked(stageIdle)
				c.set.retireAll()
				retired := c.set.now()
				for _, e := range strings.Fields(test.events) {
					time.Sleep(time.Second)
					playOn(c, e)
				}
				now := c.set.now()
				v := other.(*conn).viewLocked(now)
				if v.clientBusy != (test.want < 0) {
					t.Errorf("after %q its client is busy = %v, want %v", test.events, v.clientBusy, test.want < 0)
				}
				if !v.clientBusy && v.clientQuiet != retired+test.want {
					t.Errorf("after %q its client is quiet since %v, want %v", test.events, v.clientQuiet-retired, test.want)
				}
			})
		})
	}
}

// A request that runs when its connection retires keeps the client from being
// quiet, and one that hijacked its connection does not.
func TestClientOfRunning(t *testing.T) {
	for events, want := range map[string]int32{"begin": 1, "begin hijack": 0, "begin return": 0} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newPipeConn(t)
			c.setState(http.StateActive)
			play(c, strings.Fields(events))
			c.drain()
			if got := c.exit.client.running.Load(); got != want {
				t.Errorf("after %q %d requests of the client run, want %d", events, got, want)
			}
		})
	}
}

// A client that is not known to be far has the shortest wait, and the kernel is asked
// only once.
func TestClientMeasure(t *testing.T) {
	var cl client
	if cl.maxWait() != maxClientWait {
		t.Errorf("maxWait() = %v at first, want %v", cl.maxWait(), maxClientWait)
	}
	nc, _ := net.Pipe()
	if cl.measure(nc) || cl.wait.Load() == 0 || cl.maxWait() != maxClientWait {
		t.Errorf("measure() changed maxWait to %v, or is not over", cl.maxWait())
	}
	cl.wait.Store(int64(time.Second))
	if cl.measure(nc) || cl.maxWait() != time.Second {
		t.Errorf("measure() asked again: maxWait() = %v", cl.maxWait())
	}
}
