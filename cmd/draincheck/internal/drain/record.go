package drain

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// A clock knows when the stop signal was sent. Clients ask it at every request, so it takes no lock.
type clock struct {
	signal atomic.Pointer[time.Time]
}

// signalled says whether the signal was sent no later than t.
func (c *clock) signalled(t time.Time) bool {
	s := c.signal.Load()
	return s != nil && !t.Before(*s)
}

// A recorder keeps the accounts of one kind of load in one round.
type recorder struct {
	name    string
	clients int
	clock   *clock
	want    int // requests that should be under way at the signal: those of slow clients

	mu       sync.Mutex // guards what follows
	counts   Counts
	open     int // requests sent and not yet ended
	before   []time.Duration
	during   []time.Duration
	losses   []loss
	ends     *Ends      // nil unless these are streams or WebSockets
	obstacle *Obstacles // nil unless these are obstacles
	refused  time.Time  // the first refused dial after the signal
	setup    error      // the first problem that makes the check pointless
}

type loss struct {
	written, failed time.Time
	err             error
}

// A request is one that is being sent. Exactly one of its methods is called, once.
type request struct {
	rec   *recorder
	start time.Time
	ended bool
}

// send begins a request: its first byte is about to be written.
func (r *recorder) send() *request {
	q := &request{rec: r, start: time.Now()}
	r.mu.Lock()
	r.counts.Sent++
	r.open++
	r.mu.Unlock()
	return q
}

// endLocked ends q. That it ends once is what the accounts rest on, so a second end is a bug of ours worth a crash.
func (q *request) endLocked() {
	if q.ended {
		panic(fmt.Sprintf("drain: a %s request ended twice", q.rec.name))
	}
	q.ended = true
	q.rec.open--
}

// answered: a complete response came at the time given.
func (q *request) answered(at time.Time, status int, unframed bool) {
	r := q.rec
	after := r.clock.signalled(at)
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.Answered++
	if unframed {
		r.counts.Unframed++
	}
	if status >= 500 {
		r.counts.Errors++
	}
	if after {
		r.during = append(r.during, at.Sub(q.start))
		return
	}
	r.counts.AnsweredBefore++
	if status >= 500 {
		r.counts.ErrorsBefore++
	}
	r.before = append(r.before, at.Sub(q.start))
}

// lost: no complete response came, and none will.
func (q *request) lost(err error) {
	r := q.rec
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.Lost++
	if !r.clock.signalled(q.start) {
		r.counts.LostBefore++
	}
	if len(r.losses) < maxLosses {
		r.losses = append(r.losses, loss{q.start, now, err})
	}
}

// refused: the server said that it has not processed and will not process it.
func (q *request) refused() {
	r := q.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.RefusedStreams++
}

// behindClose: it was sent before a response with Connection: close was read, and stood behind it.
func (q *request) behindClose() {
	r := q.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.BehindClose++
}

// unsent takes q back: not one byte of it left.
func (q *request) unsent() {
	r := q.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.Sent--
}

// dialFailed accounts for a connection that could not be made, or was reset before anything was sent on it. One that was
// given up because the load is over says nothing about the server.
func (r *recorder) dialFailed(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	now := time.Now()
	after := r.clock.signalled(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !isRefusal(err) {
		r.counts.DialErrors++
		return
	}
	r.counts.RefusedDials++
	if !after {
		r.counts.RefusedBefore++
		return
	}
	if r.refused.IsZero() && isRefused(err) {
		r.refused = now
	}
}

// closedIdle accounts for a connection that was found closed before the next request was written.
func (r *recorder) closedIdle() {
	r.mu.Lock()
	r.counts.ClosedIdle++
	r.mu.Unlock()
}

// broken reports something that makes the check pointless, such as a stream path that answers 404.
func (r *recorder) broken(err error) {
	r.mu.Lock()
	if r.setup == nil {
		r.setup = err
	}
	r.mu.Unlock()
}

func (r *recorder) brokenBy() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.setup
}

// underWay says whether as many requests are under way as should be at the signal.
func (r *recorder) underWay() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open >= r.want
}

// markSignal notes what is under way. It is called right before the signal is sent.
func (r *recorder) markSignal() {
	r.mu.Lock()
	r.counts.InFlight = r.open
	r.mu.Unlock()
}

func (r *recorder) snapshot() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// kind sums up. The caller has waited for the clients, so nothing moves any more.
func (r *recorder) kind() Kind {
	return Kind{
		Name:      r.name,
		Clients:   r.clients,
		Counts:    r.counts,
		Before:    latency(r.before),
		During:    latency(r.during),
		Ends:      r.ends,
		Obstacles: r.obstacle,
	}
}

// latency sums up d, which it sorts. The percentiles are nearest-rank: values that were really measured.
func latency(d []time.Duration) *Latency {
	if len(d) == 0 {
		return nil
	}
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	rank := func(p int) time.Duration { return d[(len(d)*p+99)/100-1] }
	return &Latency{Count: len(d), P50: millis(rank(50)), P99: millis(rank(99)), Max: millis(d[len(d)-1])}
}
