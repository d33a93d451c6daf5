package main

import "time"

const (
	quietFor  = 250 * time.Millisecond // as long as the library's IdleGrace
	quietMost = 500 * time.Millisecond
	endMost   = 300 * time.Millisecond
	muteMost  = 100 * time.Millisecond
	muteLong  = 500 * time.Millisecond
	// gap is between the end of the last response and GOAWAY: the client should
	// have taken the one before it reads the other.
	gap = 5 * time.Millisecond
	// unbounded is for policies that may never find their moment.
	unbounded = time.Second
)

// policy says when a stop sends GOAWAY.
type policy struct {
	name string
	what string
	// retire runs on a goroutine of its own for each connection, from the moment
	// at which the stop begins. It is nil for servers that stop by themselves.
	retire func(*conn)
}

const muteWhat = "when quiet; if busy, read only what running requests still send, " +
	"wait at most 100 ms until they have ended; 5 ms later GOAWAY, then read on"

var policies = []policy{
	{"bare", "http.Server.Shutdown", nil},
	{"fxshutdown", "the library", nil},
	{"now", "at once", func(c *conn) { c.goAway() }},
	{"header", "with the next response (Connection: close), or when quiet", func(c *conn) {
		c.closeHeader.Store(true)
		c.awaitQuiet(quietFor, unbounded)
		c.goAway()
	}},
	{"end", "right after the END_STREAM of the last stream, in the same write", func(c *conn) {
		c.goAwayWhenIdle()
		c.awaitQuiet(quietFor, unbounded)
		c.goAway()
	}},
	{"end-bounded", "as end, but after 300 ms at once", func(c *conn) {
		c.goAwayWhenIdle()
		c.awaitQuiet(quietFor, endMost)
		c.goAway()
	}},
	{"end-hook", "as end-bounded, but the StateIdle hook asks for it, so it comes a write later", func(c *conn) {
		c.setOnIdle(c.goAway)
		c.awaitQuiet(quietFor, endMost)
		c.goAway()
	}},
	{"quiet", "after 250 ms without streams, or at once after 500 ms", func(c *conn) {
		c.awaitQuiet(quietFor, quietMost)
		c.goAway()
	}},
	{"hold", "5 ms after the last stream has ended, reading nothing meanwhile; " +
		"after 300 ms at once", func(c *conn) {
		c.holdWhenIdle()
		c.awaitQuiet(quietFor, endMost)
		c.goAwayHeld()
	}},
	{"mute", muteWhat, func(c *conn) {
		c.awaitBusyOrQuiet()
		c.mute(muteMost)
		c.goAwayHeld()
	}},
	{"mute-500", "as mute, but wait at most 500 ms", func(c *conn) {
		c.awaitBusyOrQuiet()
		c.mute(muteLong)
		c.goAwayHeld()
	}},
	{"mute-no-gap", "as mute-500, but GOAWAY at once when they have ended", func(c *conn) {
		c.awaitBusyOrQuiet()
		c.hold()
		c.awaitQuiet(0, muteLong)
		c.goAwayHeld()
	}},
}

func (c *conn) setOnIdle(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onIdle = f
}

// holdWhenIdle makes the connection read nothing when its last stream has ended,
// and sends GOAWAY a gap later. What had been read before is served first.
func (c *conn) holdWhenIdle() {
	c.setOnIdle(func() {
		c.hold()
		go func() {
			if c.awaitQuiet(gap, 2*gap) {
				c.goAwayHeld()
			} else {
				c.release()
			}
		}()
	})
}

// mute lets the streams of the connection end without new ones.
func (c *conn) mute(limit time.Duration) {
	c.hold()
	c.awaitQuiet(gap, limit)
}
