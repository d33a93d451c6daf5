package fxshutdown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// settle is how long something may take that is done at once but for a bug,
	// or a lack of processors; lateSettle the same when no time is left.
	settle     = 50 * time.Millisecond
	lateSettle = 5 * time.Millisecond

	// tellAfter is how long a drain goes on before it tells for what.
	tellAfter = 2 * time.Second
)

// drain is one stop, from its beginning to its report. Its goroutine, run, does
// all that the stop does; everybody else only wakes it.
type drain struct {
	s       *Server
	trigger string
	budget  budget

	wake   chan struct{} // receives when something changed that run should look at
	forced chan struct{} // closed when the stop is to end by force
	cutNow chan struct{} // closed when it is to cut at once
	over   chan struct{} // closed when the stop has ended
	err    error         // of Stop; written before over is closed

	// Set by run when the drain begins, before isDraining.
	start     moment
	requestAt moment // when RequestGrace is over; 0: never
	hijackAt  moment // when HijackGrace is over; 0: never
	goAwayAt  moment // when GOAWAY is sent; 0: it was. Run alone looks at it.
	tellAt    moment // when it is told what the drain waits for

	next atomic.Int64 // the moment for which run has set its timer; 0: none

	atBegin totals // the account when the stop began

	mu     sync.Mutex // guards what follows
	reason error      // of the force
	report Report
}

// begin begins a stop, or joins the one that began before, on the budget of ctx.
func (s *Server) begin(ctx context.Context, trigger string) *drain {
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.drain; d != nil {
		if d.budget.limit(deadline, s.now(), s.cfg.StopReserve) {
			d.wakeUp()
		}
		return d
	}
	st, totals, _ := s.countLocked()
	d := &drain{
		s:       s,
		trigger: trigger,
		wake:    make(chan struct{}, 1),
		forced:  make(chan struct{}),
		cutNow:  make(chan struct{}),
		over:    make(chan struct{}),
		atBegin: totals,
		report:  Report{Trigger: trigger, Began: time.Now(), Connections: st.Open()},
	}
	d.budget.limit(deadline, s.now(), s.cfg.StopReserve)
	s.drain = d
	close(s.stopping)
	switch s.state {
	case stateNew:
		s.stopUnservedLocked(d)
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
func (s *Server) stopUnservedLocked(d *drain) {
	d.mu.Lock()
	d.report.Duration = max(time.Since(d.report.Began), 1)
	d.mu.Unlock()
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

// force ends the graceful part of the stop. With ErrBudget handlers have the
// force window to answer; otherwise all is cut at once.
func (d *drain) force(reason error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reason == nil {
		d.reason = reason
		close(d.forced)
	}
	if reason != ErrBudget && !isClosed(d.cutNow) {
		close(d.cutNow)
		d.wakeUp() // whoever waits for what was cut waits less
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// within returns a timer that fires after most, or when the force is due.
func (d *drain) within(most time.Duration) *time.Timer {
	if forceAt, _, _ := d.budget.moments(); forceAt != 0 {
		most = min(most, max(forceAt-d.s.now(), 0))
	}
	return time.NewTimer(most)
}

// run is the goroutine of the stop.
func (d *drain) run(starting <-chan struct{}) {
	defer close(d.over)
	s := d.s
	if starting != nil && !d.awaitStart(starting) {
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

// awaitStart waits for the Start under way, whose context begin has cancelled,
// and reports whether there is something to stop. If it takes too long, blocked
// by a hook of the user's, that Start finds that it came too late.
func (d *drain) awaitStart(starting <-chan struct{}) bool {
	for late := false; !late; {
		t := d.within(forever)
		select {
		case <-starting:
			late = true
		case <-d.forced:
			late = true
		case <-t.C:
			late = true
		case <-d.wake: // somebody joined with less time
		}
		t.Stop()
	}
	s := d.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateStopping {
		return true // Start has succeeded
	}
	s.stopUnservedLocked(d)
	return false
}

// lookAway is phase 0: readiness fails since begin, nothing else changes.
func (d *drain) lookAway() bool {
	s := d.s
	now := s.now()
	forceAt, _, end := d.budget.moments()
	delay, skipped, noRoom := s.cfg.ShutdownDelay, "", false
	stats := s.Stats()
	switch {
	case delay == 0:
	case d.trigger != "stop":
		skipped = "not stopped by Stop"
	case stats.Accepted == 0:
		skipped = "no connection was ever accepted"
	case end != 0 && now+delay+2*s.cfg.IdleGrace > forceAt:
		skipped, noRoom = fmt.Sprintf("the budget has no room for %v", delay), true
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
		NoRoom:  noRoom,
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
			// Somebody joined. With less time the rest may not fit any more.
			if forceAt, _, _ := d.budget.moments(); forceAt != 0 && now+delay+2*s.cfg.IdleGrace > forceAt {
				return true
			}
		}
	}
}

// announce is phase 1: whoever can be told to go is told.
func (d *drain) announce() bool {
	s := d.s
	d.start = s.now()
	d.tellAt = d.start + tellAfter
	if t := s.cfg.RequestGrace; t > 0 {
		d.requestAt = d.start + t
	}
	if t := s.cfg.HijackGrace; t > 0 {
		d.hijackAt = d.start + t
	}
	if t := s.cfg.DrainTimeout; t > 0 {
		d.budget.endBy(d.start, d.start+t)
	}
	s.drainStart.Store(int64(d.start))
	s.isDraining.Store(true)
	close(s.draining)
	s.events.emit(&DrainBegan{Stats: s.Stats()})
	if !isClosed(s.parked.told) { // by somebody's Shutdown, during the delay
		d.shutdownGiven()
	}

	// GOAWAY goes to all connections at once and refuses what is on its way to
	// them. Where one was used a moment ago, and its next request may be on its
	// way, all wait until it is quiet; meanwhile a connection that answers a
	// request sends GOAWAY with the response.
	d.goAwayAt = d.start
	for _, c := range s.snapshot() {
		c.mu.Lock()
		if c.h2 && c.waitingLocked() {
			d.goAwayAt = max(d.goAwayAt, min(c.quiet, d.start)+s.cfg.IdleGrace)
		}
		c.mu.Unlock()
	}
	if d.goAwayAt == d.start {
		d.goAway(d.start)
	}
	return true
}

// goAway sends GOAWAY to all HTTP/2 connections. Those that are New are not
// known to HTTP/2 yet.
func (d *drain) goAway(now moment) {
	d.goAwayAt = 0
	for _, c := range d.s.snapshot() {
		c.mu.Lock()
		if c.h2 && !c.goneAway && c.state != http.StateNew {
			c.goneAway, c.asked = true, now
		}
		c.mu.Unlock()
	}
	d.s.sendGoAway()
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
	t := d.within(settle)
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
	began := time.Now()
	closed := d.shutListener()
	s.mu.Lock()
	s.shut = true
	failed := s.err != nil
	s.mu.Unlock()
	e := &ListenerClosed{Took: time.Since(began)}
	if closed && !(failed && errors.Is(s.ln.closeErr, net.ErrClosed)) { // it is known to have failed
		e.Err = s.ln.closeErr
	}
	if isClosed(s.ln.ended) { // otherwise the accepting goroutine is blocked
		e.Queued, e.Flooded = s.ln.queued, s.ln.flooded
	}
	d.mu.Lock()
	d.report.Queued, d.report.ListenerErr = e.Queued, e.Err
	d.mu.Unlock()
	s.events.emit(e)
	return true
}

// shutListener reports whether the listener is closed.
func (d *drain) shutListener() bool {
	enough, shut := make(chan struct{}), make(chan bool, 1)
	go func() { shut <- d.s.ln.shut(enough) }()
	for until := d.s.now() + queueMost + settle; ; {
		t := d.within(until - d.s.now())
		select {
		case closed := <-shut:
			t.Stop()
			return closed
		case <-d.wake: // somebody joined, maybe with less time
			t.Stop()
			continue
		case <-d.forced:
		case <-t.C:
		}
		t.Stop()
		close(enough)
		return <-shut
	}
}

// await is phases 3 and 4: idle connections are dropped when they are due,
// active ones are waited for.
func (d *drain) await() bool {
	s := d.s
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if s.isEmpty() || isClosed(d.forced) {
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
		if d.goAwayAt != 0 && now >= d.goAwayAt {
			d.goAway(now)
		}
		if now >= d.tellAt {
			d.tell(now, forceAt)
		}
		d.next.Store(0) // whoever changes behind the back of sweep wakes us
		next := earliest(d.sweep(now), forceAt, d.requestAt, d.goAwayAt, d.tellAt)
		d.next.Store(int64(next))
		timer.Reset(next - s.now())
		select {
		case <-timer.C:
		case <-d.wake:
		case <-d.forced:
		}
	}
}

// tell says what the drain waits for.
func (d *drain) tell(now, forceAt moment) {
	s := d.s
	e := &StillDraining{Waited: now - d.start, Stats: s.Stats(), Requests: s.InFlight()}
	if forceAt != 0 {
		e.Left = forceAt - now
	}
	s.events.emit(e)
	d.tellAt = now + e.Waited
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
	d.awaitServers()
	unclaim(s.given)

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
	oldestFirst(r.Aborted)
	var lost []Request
	for _, a := range r.Aborted {
		if !a.Stream {
			lost = append(lost, a)
		}
	}
	if len(lost) > 0 || r.Unbegun > 0 {
		d.err = &AbortedError{Requests: lost, Unbegun: r.Unbegun, Reason: cmp.Or(d.reason, ErrStopping)}
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
	s.events.flush(d.rest(flushMost))
}

// awaitServers waits for the goroutines that Start began: they have nothing left
// to do, unless something of the user's blocks them.
func (d *drain) awaitServers() {
	t := time.NewTimer(d.rest(settle))
	defer t.Stop()
	for _, ended := range []<-chan struct{}{d.s.served, d.s.parked.ended, d.s.parked.gone} {
		select {
		case <-ended:
		case <-t.C:
			return
		}
	}
}

// rest returns most, or what is left of the budget.
func (d *drain) rest(most time.Duration) time.Duration {
	if _, _, end := d.budget.moments(); end != 0 {
		most = min(most, max(end-d.s.now(), lateSettle))
	}
	return most
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
