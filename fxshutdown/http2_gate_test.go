package fxshutdown

import (
	"crypto/tls"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// newHTTP2Conn returns a retired HTTP/2 connection in a bubble, and a channel that
// receives when it says that it may be due earlier.
func newHTTP2Conn(t *testing.T) (c *conn, changed <-chan *conn) {
	t.Helper()
	c, client := newPipeConn(t)
	told := make(chan *conn, 10)
	c.set.watcher.Store(&watcher{changed: func(c *conn) { told <- c }, emptied: func() {}})
	serveOne(t, c, client)
	c.speaksHTTP2(new(http.Server))
	c.retire()
	c.setState(http.StateActive)
	return c, told
}

// A request whose beginning starts the holding back of what follows tells the stop, which
// ends the hold in time.
func TestHoldIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, changed := newHTTP2Conn(t)
		c.begin(newTestExchange(c, "/"), 2)
		select {
		case <-changed:
		default:
			t.Error("begin() holds back what the client sends, and the stop does not know")
		}
		c.begin(newTestExchange(c, "/"), 2)
		if len(changed) > 0 {
			t.Error("a second request tells again")
		}
	})
}

// What was released is not held back again: nobody would release it. net/http may
// start the handler of a request after it has closed the connection.
func TestHoldAfterClose(t *testing.T) {
	for name, end := range map[string]func(*conn){
		"closed":      func(c *conn) { c.Close() },
		"half-closed": func(c *conn) { c.mu.Lock(); c.halfCloseLocked(c.set.now()); c.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newHTTP2Conn(t)
				end(c)
				c.begin(newTestExchange(c, "/"), 2)
				if c.h2.heldAt != 0 {
					t.Error("what the client sends is held back forever")
				}
			})
		})
	}
}

// passes reports whether what is read is not held back.
func passes(c *conn) bool {
	passed := make(chan struct{})
	go func() { c.awaitRelease(); close(passed) }()
	synctest.Wait()
	return isClosed(passed)
}

// The body of a running request is read to its end, whatever is held back: its handler
// may need it to answer.
func TestHoldSparesBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newHTTP2Conn(t)
		x := newTestExchange(c, "/upload")
		x.bodyOpen = true
		c.begin(x, 2)
		if !passes(c) {
			t.Error("the body of a request is held back")
		}
		c.mu.Lock()
		c.bodyEndsLocked(x)
		c.mu.Unlock()
		if passes(c) {
			t.Error("what follows a body is not held back")
		}
		c.Close() // releases it
	})
}

// Whatever ends a connection lets its reader go on, which would otherwise be left behind.
func TestEndReleases(t *testing.T) {
	for name, end := range map[string]func(*conn){
		"closed":      func(c *conn) { c.Close() },
		"half-closed": func(c *conn) { c.mu.Lock(); c.halfCloseLocked(c.set.now()); c.mu.Unlock() },
		"cut":         func(c *conn) { c.mu.Lock(); c.cutLocked(); c.mu.Unlock() },
		"forced":      func(c *conn) { c.set.releaseAll() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newHTTP2Conn(t)
				c.begin(newTestExchange(c, "/"), 2)
				if passes(c) {
					t.Fatal("nothing is held back")
				}
				if end(c); !passes(c) {
					t.Error("its reader waits forever")
					c.Close()
				}
			})
		})
	}
}

// A write after GOAWAY was asked for counts as GOAWAY, unless it is, or may be, the end of
// a response: then the one after it does.
func TestGoAwayWritten(t *testing.T) {
	for _, test := range []struct {
		name      string
		underWay  bool // a write, when GOAWAY is asked for
		finishing bool // a response, so that a write is to come
		writes    int
		want      time.Duration // when the connection is closed, after the last of them
	}{
		{"alone", false, false, 0, goAwayMissing},
		{"alone, written", false, false, 1, goAwayWritten},
		{"behind a write", true, false, 1, goAwayLikely},
		{"behind a write, written", true, false, 2, goAwayWritten},
		{"behind a response", false, true, 0, goAwayMissing},
		{"behind a response, or in one", false, true, 1, goAwayLikely},
		{"behind a response, written", false, true, 2, goAwayWritten},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newHTTP2Conn(t)
				c.setState(http.StateIdle)
				c.retire()
				time.Sleep(time.Second)
				if test.underWay {
					c.beginWrite()
				}
				c.mu.Lock()
				c.h2.finishing = test.finishing
				c.h2.askGoAwayLocked(c, c.set.now())
				c.mu.Unlock()
				for i := range test.writes {
					time.Sleep(ms)
					if i > 0 || !test.underWay {
						c.beginWrite()
					}
					c.endWrite()
				}
				now := c.set.now()
				if v := (graces{}).decide(c.viewLocked(now), now); v != (verdict{at: now + test.want}) {
					t.Errorf("decide() = %v, want to look at %v", v, now+test.want)
				}
			})
		})
	}
}

// A response is starved if it makes no progress between two looks, not if one look finds
// it being written.
func TestStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := newHTTP2Conn(t)
		look := func() bool { return c.viewLocked(c.set.now()).starved }
		c.retire()
		c.h2.heldAt = c.set.now()
		c.h2.writers.Add(1)
		time.Sleep(time.Second)
		if look() {
			t.Error("a handler that has just begun to write is starved")
		}
		time.Sleep(recheck - 1)
		if look() {
			t.Error("a handler is starved a moment too early")
		}
		time.Sleep(time.Nanosecond)
		if !look() {
			t.Error("a handler that writes, and gets nothing out, is not starved")
		}
		c.beginWrite()
		c.endWrite()
		if look() {
			t.Error("a handler is starved, although something was written")
		}
		time.Sleep(recheck)
		c.h2.writers.Add(-1)
		if look() {
			t.Error("a handler that does not write is starved")
		}
	})
}

// A connection of an HTTP/2 that the user brought counts as HTTP/2, although it has no
// server of its own.
func TestBroughtHTTP2(t *testing.T) {
	c, _ := newPipeConn(t)
	var servedBy *http.Server
	c.set.given.TLSNextProto = map[string]nextProto{
		"h2": func(s *http.Server, _ *tls.Conn, _ http.Handler) { servedBy = s },
	}
	h := &hooks{set: c.set}
	h.nextProtos(c.set.given.TLSNextProto, c.set.given)["h2"](nil, tls.Server(c, nil), nil)
	if servedBy != c.set.given {
		t.Errorf("the user's function got the server %p, want the given one", servedBy)
	}
	if c.h2 == nil || c.h2.server != nil {
		t.Errorf("the connection's HTTP/2 is %+v, want one without a server of its own", c.h2)
	}
}
