package fxshutdown

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// TestAccount takes a connection through events, one for each word, and looks at where
// its requests are. Each request is in one place.
func TestAccount(t *testing.T) {
	for _, test := range []struct {
		name   string
		http2  bool
		events string
		want   totals
	}{
		{"runs", false, "begin", totals{Undecided: 1}},
		{"returned", false, "begin return", totals{Undecided: 1}},
		{"answered", false, "begin return idle", totals{Answered: 1}},
		{"answered, and the client went", false, "begin return closed", totals{Answered: 1}},
		{"answered, and net/http closes", false, "begin return closewrite", totals{Answered: 1}},
		{"returned after its client", false, "begin closed return", totals{Answered: 1}},
		{"two, one after the other", false, "begin return begin", totals{Answered: 1, Undecided: 1}},
		{"panicked", false, "begin panic", totals{Failed: 1}},
		{"panicked after its client", false, "begin closed panic", totals{Failed: 1}},
		{"hijacked", false, "begin hijack", totals{Hijacked: 1}},
		{"hijacked and returned", false, "begin hijack return", totals{Hijacked: 1}},
		{"hijacked and panicked", false, "begin hijack panic", totals{Hijacked: 1}},
		{"hijacked and cut", false, "begin hijack cut return", totals{Hijacked: 1}},
		{"cut while it runs", false, "begin cut", totals{Aborted: 1}},
		{"cut, then returned", false, "begin cut return", totals{Aborted: 1}},
		{"cut, then panicked", false, "begin cut panic", totals{Aborted: 1}},
		{"cut, then hijacked", false, "begin cut hijack return", totals{Aborted: 1}},
		{"cut twice", false, "begin cut cut", totals{Aborted: 1}},
		{"cut, undecided", false, "begin return cut", totals{Aborted: 1}},
		{"cut when it was written", false, "begin return idle cut", totals{Answered: 1}},
		{"told to end, and runs", false, "begin ends", totals{Undecided: 1}},
		{"told to end, and returned", false, "begin ends return idle", totals{Answered: 1}},
		{"told to end, and given up", false, "begin ends abandon panic", totals{Ended: 1}},
		{"told to end, and given up after its client", false, "begin ends abandon closed panic", totals{Ended: 1}},
		{"told to end, and panicked", false, "begin ends panic", totals{Failed: 1}},
		{"told to end, and could not write", false, "begin ends unwritten return", totals{Ended: 1}},
		{"told to end, and short", false, "begin ends short return", totals{Ended: 1}},
		{"to be told, and short", false, "begin willend short return", totals{Failed: 1}},
		{"to be told, cancelled by the stop, and short", false, "begin willend cancel short return", totals{Ended: 1}},
		{"told to end, then cancelled by the stop, and short", false, "begin ends cancel short return", totals{Ended: 1}},
		{"told to end, and hijacked", false, "begin ends hijack abandon panic", totals{Hijacked: 1}},
		{"told to end, and cut", false, "begin ends cut abandon panic", totals{Aborted: 1}},
		{"begun too late", false, "cut begin", totals{}},
		{"of a foreign protocol", false, "hijack begin return", totals{Answered: 1}},

		{"streams run", true, "begin begin", totals{Undecided: 2}},
		{"one of two streams", true, "begin begin return", totals{Undecided: 2}},
		{"both streams", true, "begin begin return return", totals{Undecided: 2}},
		{"both streams, the first is written", true, "begin begin return write return", totals{Answered: 1, Undecided: 1}},
		{"both streams, and a third", true, "begin begin return return begin", totals{Undecided: 3}},
		{"both streams, written, and a third", true, "begin begin return return write begin", totals{Answered: 2, Undecided: 1}},
		{"both streams, cut at once", true, "begin begin return return cut", totals{Aborted: 2}},
		{"both streams, cut later", true, "begin begin return return wait cut", totals{Answered: 2}},
		{"both streams, the first is written, cut", true, "begin begin return write return cut", totals{Answered: 1, Aborted: 1}},
		{"both streams, idle", true, "begin begin return return idle", totals{Answered: 2}},
		{"a stream that was reset", true, "begin idle return", totals{Answered: 1}},
		{"one of two, long ago", true, "begin begin return wait", totals{Answered: 1, Undecided: 1}},
		{"one of two, cut at once", true, "begin begin return cut", totals{Aborted: 2}},
		{"one of two, cut later", true, "begin begin return wait cut", totals{Answered: 1, Aborted: 1}},
		{"one of two ends", true, "begin begin ends abandon panic", totals{Ended: 1, Undecided: 1}},
		{"the first of two panics", true, "begin begin panic", totals{Failed: 1, Undecided: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newPipeConn(t)
				if test.http2 {
					c.speaksHTTP2(nil)
				}
				c.setState(http.StateActive)
				play(c, strings.Fields(test.events))
				_, got := c.set.count()
				got.Accepted, got.Closed = 0, 0
				if got != test.want {
					t.Errorf("after %q: %+v, want %+v", test.events, got, test.want)
				}
			})
		})
	}
}

// newTestExchange returns a GET request on c.
func newTestExchange(c *conn, path string) *exchange {
	return &exchange{rw: httptest.NewRecorder(), conn: c, method: methodOf("GET"), path: path}
}

// play does what the words say. return and panic end the request that began last.
func play(c *conn, events []string) {
	var running []*exchange
	for _, e := range events {
		switch e {
		case "begin":
			x := newTestExchange(c, "/")
			if c.begin(x, 1) {
				running = append(running, x)
			}
		case "return", "panic":
			x := running[len(running)-1]
			running = running[:len(running)-1]
			c.end(x, e == "return")
		case "idle":
			c.setState(http.StateIdle)
		case "closed":
			if c.setState(http.StateClosed) {
				c.set.remove(c)
			}
		case "closewrite":
			c.CloseWrite()
		case "hijack":
			c.setState(http.StateHijacked)
		case "willend":
			running[len(running)-1].draining()
			running[len(running)-1].notice(endsOnDrain)
		case "ends":
			running[len(running)-1].draining()
			running[len(running)-1].notice(cancelledOnDrain)
		case "abandon":
			running[len(running)-1].notice(abandonedOnDrain)
		case "cancel":
			running[len(running)-1].cancelled = true
		case "short":
			running[len(running)-1].written = -1
		case "unwritten":
			running[len(running)-1].response |= writeFailed
		case "cut":
			c.mu.Lock()
			c.cutLocked()
			gone := c.goneLocked()
			c.mu.Unlock()
			if gone {
				c.set.remove(c)
			}
		case "write":
			c.writes.begin()
			c.writes.end()
		case "wait":
			time.Sleep(schedulingSlack)
		}
	}
}

// What a removed connection did stays in the account.
func TestAccountOfGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newPipeConn(t)
		c.setState(http.StateActive)
		play(c, strings.Fields("begin return idle closed"))
		stats, got := c.set.count()
		if want := (totals{Accepted: 1, Closed: 1, Answered: 1}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if want := (Stats{Accepted: 1, Closed: 1, Requests: 1, Answered: 1}); stats != want {
			t.Errorf("Stats = %+v, want %+v", stats, want)
		}
		if !c.set.isEmpty() {
			t.Error("the set is not empty")
		}
	})
}

// Streams end in any order.
func TestAccountList(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := newPipeConn(t)
			c.speaksHTTP2(nil)
			c.setState(http.StateActive)
			var xs []*exchange
			for range order {
				x := newTestExchange(c, "/")
				c.begin(x, 2)
				xs = append(xs, x)
			}
			for i, at := range order {
				c.end(xs[at], true)
				if err := c.checkLocked(); err != nil {
					t.Errorf("order %v, after %d: %v", order, i+1, err)
				}
			}
			if c.running != nil {
				t.Errorf("order %v: some run at the end, want none", order)
			}
		})
	}
}

// A request that hijacked its connection is kept without its ResponseWriter.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newPipeConn(t)
		c.setState(http.StateActive)
		x := newTestExchange(c, "/ws")
		c.begin(x, 1)
		c.setState(http.StateHijacked)
		x.flushed = true
		x.draining()
		time.Sleep(time.Second)
		c.end(x, true)
		c.mu.Lock()
		defer c.mu.Unlock()
		got := *c.takeoverEndLocked()
		want := Request{Method: "GET", Path: "/ws", Proto: "HTTP/1.1", RemoteAddr: "pipe", Age: time.Second, Stream: true}
		if got != want {
			t.Errorf("the end of the takeover = %+v, want %+v", got, want)
		}
		if again := c.takeoverEndLocked(); again != nil {
			t.Errorf("the end of the takeover is told twice: %+v", *again)
		}
		if c.running != nil || c.undecided != nil {
			t.Error("the connection keeps the exchange")
		}
	})
}

// A request costs one allocation, of no more than 96 bytes.
func TestExchangeSize(t *testing.T) {
	r := &http.Request{Method: "GET", URL: &url.URL{Path: "/"}, ProtoMajor: 1}
	r = r.WithContext(t.Context())
	var w http.ResponseWriter = struct {
		http.ResponseWriter
		http.Hijacker
	}{}
	var kept *exchange
	allocs := testing.AllocsPerRun(100, func() { kept, _ = newExchange(nil, w, r) })
	if allocs != 1 {
		t.Errorf("%v allocations, want 1", allocs)
	}
	if size := unsafe.Sizeof(*kept); size > 96 {
		t.Errorf("an exchange has %d bytes, want at most 96", size)
	}
}

// A client that resets its streams while it reads nothing cannot make us keep all of
// them.
func TestAccountBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newPipeConn(t)
		c.speaksHTTP2(nil)
		c.setState(http.StateActive)
		play(c, strings.Fields("begin")) // its response is being written, but not read
		c.writes.begin()
		const resets = 10 * maxUndecided
		for range resets {
			play(c, strings.Fields("begin return"))
		}
		_, got := c.set.count()
		if got.begun() != 1+resets || got.Undecided > 1+maxUndecided {
			t.Errorf("%+v, want %d requests, and at most %d of them undecided", got, 1+resets, 1+maxUndecided)
		}
	})
}
