package drain

import (
	"sync"
	"time"
)

// tick is the width of a timeline's buckets.
const tick = 100 * time.Millisecond

// maxTicks bounds a timeline: an hour.
const maxTicks = 36000

// A Bucket counts what was known of requests within one tenth of a second.
type Bucket struct {
	OK         int `json:"ok,omitempty"`
	Slow       int `json:"slow,omitempty"`       // answered, but later than -slow-limit
	Unexpected int `json:"unexpected,omitempty"` // answered with a status that is not expected
	Lost       int `json:"lost,omitempty"`
	Refused    int `json:"refused,omitempty"` // connections and HTTP/2 streams
	Killed     int `json:"killed,omitempty"`  // cut by draincheck
}

// A Mark is something that happened to the server.
type Mark struct {
	At   Millis `json:"at_ms"` // since the timeline's start
	What string `json:"what"`  // "signal", "exit", …
}

// A Timeline says when requests ended how.
type Timeline struct {
	Start   time.Time `json:"start"`
	TickMS  int       `json:"tick_ms"`
	Marks   []Mark    `json:"marks,omitempty"`
	Buckets []Bucket  `json:"buckets"`
}

// A chronicle is a timeline that is being written. A nil one takes no notes.
type chronicle struct {
	start time.Time

	mu      sync.Mutex // guards what follows
	buckets []Bucket
	marks   []Mark
}

func newChronicle() *chronicle { return &chronicle{start: time.Now()} }

// note lets count change the bucket of the time at.
func (c *chronicle) note(at time.Time, count func(*Bucket)) {
	if c == nil {
		return
	}
	i := max(int(at.Sub(c.start)/tick), 0)
	if i >= maxTicks {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.buckets) <= i {
		c.buckets = append(c.buckets, Bucket{})
	}
	count(&c.buckets[i])
}

func (c *chronicle) mark(at time.Time, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.marks = append(c.marks, Mark{At: millis(at.Sub(c.start)), What: what})
}

func (c *chronicle) timeline() *Timeline {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &Timeline{Start: c.start, TickMS: int(tick.Milliseconds()), Marks: c.marks, Buckets: c.buckets}
}
