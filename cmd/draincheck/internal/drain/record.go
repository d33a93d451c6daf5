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

// A clock knows when the stop signal was sent, and when draincheck began to kill.
// Clients ask it at every request, so it takes no lock.
type clock struct {
	signal atomic.Pointer[time.Time]
	kill   atomic.Pointer[time.Time]
}

// signalled says whether the signal was sent no later than t.
func (c *clock) signalled(t time.Time) bool { return reached(&c.signal, t) }

// killed says whether draincheck was killing the server at t.
func (c *clock) killed(t time.Time) bool { return reached(&c.kill, t) }

func reached(p *atomic.Pointer[time.Time], t time.Time) bool {
	s := p.Load()
	return s != nil && !t.Before(*s)
}

// A recorder keeps the accounts of one kind of load in one round.
type recorder struct {
	name      string
	clients   int
	clock     *clock
	want      int           // requests that should be under way at the signal: those of slow clients
	expect    statusSet     // nil if every status will do
	slowLimit time.Duration // an answer that takes longer is slow, 0 for no limit
	chronicle *chronicle

	mu       sync.Mutex // guards what follows
	counts   Counts
	open     int // requests sent and not yet ended
	before   []time.Duration
	during   []time.Duration
	statuses Statuses
	causes   map[Cause]int
	early    map[Cause]int // those of causes that were known before the signal
	newest   time.Time     // when the newest request that was answered was sent
	losses   []loss
	ends     *Ends      // nil unless these are streams or WebSockets
	obstacle *Obstacles // nil unless these are obstacles
	refused  time.Time  // the first refused dial after the signal
	setup    error      // the first problem that makes the check pointless
}

// A loss is a request that got no answer, for whatever cause.
type loss struct {
	unanswered
	written, failed time.Time
	cause           Cause
	early           bool // known before the signal
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

// endLocked ends q. That it ends once is what the accounts rest on, so a second end is a
// bug of ours worth a crash.
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
	took := at.Sub(q.start)
	slow := r.slowLimit > 0 && took > r.slowLimit
	unexpected := r.expect != nil && !r.expect.has(status)
	r.chronicle.note(at, func(b *Bucket) {
		switch {
		case unexpected:
			b.Unexpected++
		case slow:
			b.Slow++
		default:
			b.OK++
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	c := &r.counts
	c.Answered++
	if q.start.After(r.newest) {
		r.newest = q.start
	}
	count := func(yes bool, n *int) {
		if yes {
			*n++
		}
	}
	count(unframed, &c.Unframed)
	count(slow, &c.Slow)
	count(status >= 500, &c.Errors)
	count(unexpected, &c.Unexpected)
	if r.statuses == nil {
		r.statuses = Statuses{}
	}
	n := r.statuses[status]
	if after {
		n.During++
		r.during = append(r.during, took)
	} else {
		n.Before++
		r.before = append(r.before, took)
		c.AnsweredBefore++
		count(status >= 500, &c.ErrorsBefore)
		count(unexpected, &c.UnexpectedBefore)
	}
	r.statuses[status] = n
}

// lost: no complete response came, and none will.
func (q *request) lost(u unanswered) {
	r := q.rec
	now := time.Now()
	cause := u.cause()
	killed := r.clock.killed(now)
	if killed {
		cause = Killed
	}
	r.chronicle.note(now, func(b *Bucket) {
		if killed {
			b.Killed++
		} else {
			b.Lost++
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	early := !r.clock.signalled(now)
	switch {
	case killed:
		r.counts.CutByKill++
	default:
		r.counts.Lost++
		if early {
			r.counts.LostEarly++
		}
		if !r.clock.signalled(q.start) {
			r.counts.LostBefore++
		}
	}
	r.nameLocked(loss{unanswered: u, written: q.start, failed: now, cause: cause, early: early})
}

// nameLocked keeps what is known of a request that got no answer.
func (r *recorder) nameLocked(l loss) {
	if r.causes == nil {
		r.causes, r.early = map[Cause]int{}, map[Cause]int{}
	}
	r.causes[l.cause]++
	if l.early {
		r.early[l.cause]++
	}
	if len(r.losses) < maxLosses {
		r.losses = append(r.losses, l)
	}
}

// refused: the server said that it has not processed and will not process it.
func (q *request) refused(u unanswered) {
	r := q.rec
	now := time.Now()
	r.chronicle.note(now, func(b *Bucket) { b.Refused++ })
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.RefusedStreams++
	if u.err == nil {
		u.err = errors.New("above GOAWAY's last stream")
	}
	r.nameLocked(loss{unanswered: u, written: q.start, failed: now, cause: Refused, early: !r.clock.signalled(now)})
}

// behindClose: it was sent before a response with Connection: close was read, and stood
// behind it.
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

// withdrawn takes q back although it was sent: draincheck gave it up before the signal,
// since its own connections kept the server from it.
func (q *request) withdrawn() {
	r := q.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	q.endLocked()
	r.counts.Sent--
	r.counts.Withdrawn++
}

// dialFailed accounts for a connection that could not be made, or was reset before
// anything was sent on it. One that was given up because the load is over says nothing
// about the server.
func (r *recorder) dialFailed(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	now := time.Now()
	after := r.clock.signalled(now)
	r.chronicle.note(now, func(b *Bucket) { b.Refused++ })
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

// closedIdle accounts for a connection that was found closed before the next request was
// written.
func (r *recorder) closedIdle() {
	r.mu.Lock()
	r.counts.ClosedIdle++
	r.mu.Unlock()
}

// broken reports something that makes the check pointless, such as a stream path that
// answers 404.
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
		Statuses:  r.statuses,
		Before:    latency(r.before),
		During:    latency(r.during),
		Ends:      r.ends,
		Obstacles: r.obstacle,
	}
}

// latency sums up d, which it sorts. The percentiles are nearest-rank: values that were
// really measured.
func latency(d []time.Duration) *Latency {
	if len(d) == 0 {
		return nil
	}
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	rank := func(p int) time.Duration { return d[(len(d)*p+99)/100-1] }
	return &Latency{Count: len(d), P50: millis(rank(50)), P99: millis(rank(99)), Max: millis(d[len(d)-1])}
}
