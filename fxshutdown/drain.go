package fxshutdown

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// dripMost is how much longer than IdleGrace one may be quiet that has sent
	// something, and what a byte now and then can buy it at the most.
	dripMost = 300 * time.Millisecond

	// unreadMost is how long nobody may read from a connection that was poked:
	// the goroutine is starved, which is not its client's fault, or a hook of the
	// user's blocks it.
	unreadMost = 300 * time.Millisecond

	// settle is how long what was cut may take to go when the budget says nothing.
	settle = 50 * time.Millisecond
)

// drain is one stop, from its beginning to its report. Its goroutine, run, does
// all that the stop does; everybody else only wakes it.
type drain struct {
	s       *Server
	trigger string
	budget  budget

	wake   chan struct{} // receives when something changed that run should look at
	forced chan struct{} // closed when the stop is to end by force
	over   chan struct{} // closed when the stop has ended
	err    error         // of Stop; written before over is closed

	// Set by run when the drain begins, before isDraining.
	start     moment
	requestAt moment // when RequestGrace is over; 0: never
	hijackAt  moment // when HijackGrace is over; 0: never

	next atomic.Int64 // the moment for which run has set its timer; 0: none

	// What the account was when the stop began.
	atBegin        totals
	runningAtBegin uint64

	mu     sync.Mutex // guards what follows
	reason error      // of the force
	report Report
}

// begin begins a stop, or joins the one that began before, on the budget of ctx.
func (s *Server) begin(ctx context.Context, trigger string) *drain {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.drain; d != nil {
		if d.budget.limit(ctx, s.now(), s.cfg.StopReserve) {
			d.wakeUp()
		}
		return d
	}
	st, totals, running := s.countLocked()
	d := &drain{
		s:              s,
		trigger:        trigger,
		wake:           make(chan struct{}, 1),
		forced:         make(chan struct{}),
		over:           make(chan struct{}),
		atBegin:        totals,
		runningAtBegin: running,
		report:         Report{Trigger: trigger, Began: time.Now(), Connections: st.Open()},
	}
	d.budget.limit(ctx, s.now(), s.cfg.StopReserve)
	s.drain = d
	switch s.state {
	case stateNew:
		s.stopUnservedLocked()
		close(d.over)
	case stateStarting:
		s.abort()
		go d.run(s.starting)
	default:
		s.state = stateStopping
		go d.run(nil)
	}
	return d
}

// stopUnservedLocked ends the life of a server that never served.
func (s *Server) stopUnservedLocked() {
	s.state = stateStopped
	close(s.draining)
	s.closeDoneLocked()
}

func (s *Server) closeDoneLocked() {
	select {
	case <-s.done: // the listener failed
	default:
		close(s.done)
	}
}

// drainNow returns the stop under way. Only those who saw isDraining call it.
func (s *Server) drainNow() *drain {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drain
}

func (d *drain) wakeUp() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// force ends the graceful part of the stop.
func (d *drain) force(reason error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reason == nil {
		d.reason = reason
		close(d.forced)
	}
}

func (d *drain) isForced() bool {
	select {
	case <-d.forced:
		return true
	default:
		return false
	}
}

// lookAt is called when the state of a connection has changed in a way that
// may make it due: run is woken if it would come too late.
func (d *drain) lookAt(c *conn) {
	c.mu.Lock()
	var at moment
	switch c.state {
	case http.StateIdle:
		at = d.s.now() + min(d.s.cfg.IdleGrace, goAwayLead) - lastLook
	case http.StateHijacked:
		at = d.hijackAt
	}
	c.mu.Unlock()
	if at == 0 {
		return
	}
	if next := moment(d.next.Load()); next == 0 || at < next {
		d.wakeUp()
	}
}

// run is the goroutine of the stop.
func (d *drain) run(starting <-chan struct{}) {
	defer close(d.over)
	s := d.s
	if starting != nil {
		<-starting
	}
	if s.serving == nil { // the Start under way failed
		s.mu.Lock()
		s.stopUnservedLocked()
		s.mu.Unlock()
		return
	}
	d.phase("delay", d.lookAway)
	d.phase("announce", d.announce)
	d.phase("listener", d.closeListener)
	d.phase("drain", d.await)
	if !s.isEmpty() {
		d.phase("force", d.cutAll)
	}
	d.finish()
}

func (d *drain) phase(name string, f func() (ran bool)) {
	t := time.Now()
	if !f() {
		return
	}
	d.mu.Lock()
	d.report.Phases = append(d.report.Phases, Phase{Name: name, Duration: time.Since(t)})
	d.mu.Unlock()
}

// lookAway is phase 0: readiness fails since begin, nothing else changes.
func (d *drain) lookAway() bool {
	s := d.s
	now := s.now()
	forceAt, _, end := d.budget.moments()
	delay, skipped := s.cfg.ShutdownDelay, ""
	s.mu.Lock()
	stats, _, _ := s.countLocked()
	s.mu.Unlock()
	switch {
	case delay == 0:
	case d.trigger != "stop":
		skipped = "not stopped by Stop"
	case stats.Accepted == 0:
		skipped = "no connection was ever accepted"
	case end != 0 && now+delay+2*s.cfg.IdleGrace > forceAt:
		skipped = "the budget has no room for it"
	}
	if skipped != "" {
		delay = 0
	}
	d.budget.mu.Lock()
	e := &Stopping{
		Trigger: d.trigger,
		Left:    d.budget.left,
		Reserve: d.budget.reserve,
		Force:   d.budget.window,
		Delay:   delay,
		Skipped: skipped,
		Stats:   stats,
	}
	d.budget.mu.Unlock()
	s.events.emit(e)
	if delay == 0 {
		return false
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-d.forced:
			return true
		case <-d.wake:
			// Somebody joined with less time.
			if forceAt, _, _ := d.budget.moments(); forceAt != 0 && s.now()+2*s.cfg.IdleGrace > forceAt {
				return true
			}
		}
	}
}

// announce is phase 1: whoever can be told to go is told.
func (d *drain) announce() bool {
	s := d.s
	d.start = s.now()
	if t := s.cfg.RequestGrace; t > 0 {
		d.requestAt = d.start + t
	}
	if t := s.cfg.HijackGrace; t > 0 {
		d.hijackAt = d.start + t
	}
	if t := s.cfg.DrainTimeout; t > 0 {
		d.budget.endBy(d.start, d.start+t)
	}
	s.isDraining.Store(true)
	close(s.draining)
	s.mu.Lock()
	stats, _, _ := s.countLocked()
	s.mu.Unlock()
	s.events.emit(&DrainBegan{Stats: stats})

	if d.trigger != "http.Server" {
		d.shutdownGiven()
	}
	s.sendGoAway()
	for _, c := range s.snapshot() {
		c.mu.Lock()
		if c.h2 {
			c.goneAway, c.asked = true, d.start
		}
		c.mu.Unlock()
	}
	return true
}

// shutdownGiven runs what was registered by RegisterOnShutdown. The parked
// connection keeps Shutdown from returning before the drain has ended, but we
// need not wait for that.
func (d *drain) shutdownGiven() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		d.s.given.Shutdown(ctx)
	}()
	// It returns at once, unless somebody serves on the given server himself:
	// Shutdown waits for that Serve whatever its context says.
	t := time.NewTimer(settle)
	defer t.Stop()
	select {
	case <-returned:
	case <-t.C:
	}
}

// closeListener is phase 2: what waits in the accept queue is a client that
// believes it is connected.
func (d *drain) closeListener() bool {
	s := d.s
	t := time.Now()
	s.ln.shut(d.forced)
	s.mu.Lock()
	s.shut = true
	s.mu.Unlock()
	e := &ListenerClosed{Took: time.Since(t), Err: s.ln.Close()}
	select {
	case <-s.ln.ended:
		e.Queued, e.Flooded = s.ln.queued, s.ln.flooded
	default: // the accepting goroutine is blocked; its figures are not ours to read
	}
	d.mu.Lock()
	d.report.Queued, d.report.ListenerErr = e.Queued, e.Err
	d.mu.Unlock()
	s.events.emit(e)
	return true
}

// await is phases 3 and 4: idle connections are dropped when they are due,
// active ones are waited for.
func (d *drain) await() bool {
	s := d.s
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if s.isEmpty() || d.isForced() {
			return true
		}
		now := s.now()
		forceAt, _, _ := d.budget.moments()
		if forceAt != 0 && now >= forceAt {
			d.force(ErrBudget)
			return true
		}
		if d.requestAt != 0 && now >= d.requestAt {
			d.requestAt = 0
			d.cancelRequests(ErrRequestGrace)
		}
		d.next.Store(0) // whoever changes behind the back of sweep wakes us
		next := earliest(d.sweep(now), forceAt, d.requestAt)
		d.next.Store(int64(next))
		if next == 0 {
			timer.Stop()
		} else {
			timer.Reset(next - s.now())
		}
		select {
		case <-timer.C:
		case <-d.wake:
		case <-d.forced:
		}
	}
}

// earliest returns the smallest moment that is not zero.
func earliest(ms ...moment) (first moment) {
	for _, m := range ms {
		if m != 0 && (first == 0 || m < first) {
			first = m
		}
	}
	return first
}

// sweep does what is due and returns when the next connection is.
func (d *drain) sweep(now moment) (next moment) {
	goAway := false
	for _, c := range d.s.snapshot() {
		at, do := d.due(c, now)
		switch do {
		case actGoAway:
			goAway = true
		case actHalfClose:
			if c.CloseWrite() != nil {
				d.cut(c, ErrStopping)
			}
		case actCut:
			d.cut(c, ErrStopping)
		}
		next = earliest(next, at)
	}
	if goAway {
		d.s.sendGoAway()
	}
	return next
}

type action int

const (
	actNone action = iota
	actGoAway
	actHalfClose
	actCut
)

// due decides what is to be done to a connection now, and when to look again;
// zero means when something happens to it.
func (d *drain) due(c *conn, now moment) (moment, action) {
	grace := d.s.cfg.IdleGrace
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed || c.cut:
		return 0, actNone

	case c.state == http.StateHijacked:
		if d.hijackAt == 0 || now < d.hijackAt {
			return d.hijackAt, actNone
		}
		return c.endPolitelyLocked(now)

	case !c.waitingLocked():
		if c.nreqs == 0 && c.writes > 0 {
			// The end of an HTTP/2 response or of a TLS handshake: no event
			// follows.
			return now + goAwayLead, actNone
		}
		return 0, actNone

	case c.h2 && c.state == http.StateIdle:
		if !c.goneAway {
			// It came up after GOAWAY was sent; its first request is welcome.
			if at := c.quiet + grace; now < at {
				return at, actNone
			}
			c.goneAway, c.asked = true, now
			return now + goAwayLead, actGoAway
		}
		// What it sends now is refused, and safe to be sent elsewhere. It
		// was given time to read GOAWAY and the end of its last response.
		if at := max(c.asked+goAwayLead, c.quiet+max(grace, goAwayLead)); !c.halfClosed && now < at {
			return at, actNone
		}
		return c.endPolitelyLocked(now)
	}

	most := max(d.start, c.since) + grace + dripMost
	at := c.quiet + grace
	if c.inHand {
		at += dripMost // a part of a header, or a TLS handshake under way
	}
	at = min(at, most) - lastLook
	switch {
	case c.poked && now >= c.asked+unreadMost, now >= most+cutAfter:
		return 0, actCut // nobody reads it, or it drips
	case c.poked:
		return min(c.asked+unreadMost, most+cutAfter), actNone
	case now < at:
		return at, actNone
	}
	c.pokeLocked(now)
	return min(now+unreadMost, most+cutAfter), actNone
}

// endPolitelyLocked closes our side first and the connection later.
func (c *conn) endPolitelyLocked(now moment) (moment, action) {
	switch {
	case !c.halfClosed:
		c.halfClosed, c.asked = true, now
		return now + cutAfter, actHalfClose
	case now < c.asked+cutAfter:
		return c.asked + cutAfter, actNone
	}
	return 0, actCut
}

// cut closes a connection whatever it does, and puts what that cost on the account.
func (d *drain) cut(c *conn, reason error) (closed <-chan struct{}) {
	raw, res := c.cutNow()
	for _, r := range res.aborted {
		d.s.events.emit(&RequestAborted{Request: r, Reason: reason})
	}
	if res.hijack != nil {
		d.s.events.emit(&HijackedClosed{Request: *res.hijack, Reason: reason})
	}
	d.mu.Lock()
	d.report.Aborted = append(d.report.Aborted, res.aborted...)
	if res.hijack != nil {
		d.report.Cut = append(d.report.Cut, *res.hijack)
	}
	d.mu.Unlock()
	if raw == nil {
		return nil
	}
	done := make(chan struct{})
	go func() { // Close of a connection that is not a socket may block
		defer close(done)
		raw.Close()
		c.mu.Lock()
		gone := c.goneLocked()
		c.mu.Unlock()
		if gone {
			d.s.remove(c)
		}
	}()
	return done
}

// cancelRequests cancels the contexts of all requests.
func (d *drain) cancelRequests(reason error) {
	var rs []Request
	for _, c := range d.s.snapshot() {
		c.mu.Lock()
		for x := c.reqs; x != nil; x = x.next {
			if !x.cancelled && x != c.hijacker {
				x.cancelled = true
				rs = append(rs, c.describeLocked(x))
			}
		}
		c.mu.Unlock()
	}
	d.s.cancel(reason)
	if len(rs) > 0 {
		d.s.events.emit(&RequestsCancelled{Reason: reason, Requests: rs})
	}
}

// noteCancelled is called when a request has ended that was cancelled.
func (s *Server) noteCancelled(r Request) {
	d := s.drainNow()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report.Cancelled = append(d.report.Cancelled, r)
}

// cutAll is phase 5.
func (d *drain) cutAll() bool {
	s := d.s
	d.mu.Lock()
	reason := d.reason
	d.report.Forced = reason
	d.mu.Unlock()
	d.cancelRequests(reason)

	_, cutAt, end := d.budget.moments()
	if reason == ErrBudget {
		d.awaitEmpty(cutAt) // a moment for handlers to answer
	}
	for _, c := range s.snapshot() {
		d.cut(c, reason)
	}
	d.awaitEmpty(max(end, s.now()+settle))
	return true
}

// awaitEmpty waits until all connections and handlers are gone, or the moment comes.
func (d *drain) awaitEmpty(until moment) {
	t := time.NewTimer(until - d.s.now())
	defer t.Stop()
	for !d.s.isEmpty() {
		select {
		case <-d.wake:
		case <-t.C:
			return
		}
	}
}

func (s *Server) isEmpty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns.n == 0
}

// finish settles the account and ends the stop.
func (d *drain) finish() {
	s := d.s
	s.cancel(ErrStopping)
	s.parked.release()

	s.mu.Lock()
	_, totals, running := s.countLocked()
	dropped := s.dropped
	s.mu.Unlock()

	d.mu.Lock()
	r := &d.report
	r.Dropped = dropped
	r.Answered = int(totals.Answered - d.atBegin.Answered)
	r.Failed = int(totals.Failed - d.atBegin.Failed)
	r.Hijacked = int(totals.Hijacked - d.atBegin.Hijacked)
	r.Requests = int(totals.ended() + running - d.atBegin.ended())
	slices.SortStableFunc(r.Aborted, func(a, b Request) int { return int(b.Age - a.Age) })
	var lost []Request
	for _, a := range r.Aborted {
		if !a.Stream {
			lost = append(lost, a)
		}
	}
	if len(lost) > 0 {
		d.err = &AbortedError{Requests: lost, Reason: d.reason}
	}
	r.Duration = max(time.Since(r.Began), 1)
	e := &Stopped{Report: r.clone(), Err: d.err}
	d.mu.Unlock()

	s.mu.Lock()
	s.state = stateStopped
	if s.err == nil {
		s.err = d.err
	}
	s.closeDoneLocked()
	s.mu.Unlock()

	s.events.emit(e)
	s.events.flush(flushMost)
}

// Report returns what the last stop did, or has done so far.
func (s *Server) Report() Report {
	s.mu.Lock()
	d := s.drain
	s.mu.Unlock()
	if d == nil {
		return Report{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.report.clone()
}

func (r Report) clone() Report {
	r.Phases = slices.Clone(r.Phases)
	r.Cancelled = slices.Clone(r.Cancelled)
	r.Aborted = slices.Clone(r.Aborted)
	r.Cut = slices.Clone(r.Cut)
	return r
}

var _ net.Listener = (*listener)(nil)
