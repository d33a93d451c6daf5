package fxshutdown

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// stop is one stop of a server, from its beginning to its report. Its goroutine,
// run, does all that the stop does; everybody else only wakes it.
type stop struct {
	s         *Server
	trigger   Trigger
	unreadyAt moment        // from which ShutdownDelay counts
	unready   time.Duration // how long the server had been unready when the stop began
	budget    budget

	tender // of the connections; its goroutine is run

	forced chan struct{} // closed when the stop is to end by force
	cutNow chan struct{} // closed when it is to cut at once
	ended  chan struct{} // closed when the stop has ended
	err    error         // of Stop; written before ended is closed

	// Only run uses these.
	delayUntil moment // when ShutdownDelay is over; 0: there is none
	spread     spread
	drainAt    moment   // when the drain began
	requestAt  moment   // when RequestGrace is over; 0: never
	progressAt moment   // when to log next what the drain waits for
	conns      []*conn  // space for snapshots
	restUntil  moment   // when to sweep again at the earliest
	hinted     holdKind // what the log has given hints for
	listener   listenerEnd

	before totals // the account when the stop began

	mu       sync.Mutex // guards what follows; a leaf
	phaseNow PhaseName  // the phase that runs
	reason   error      // why the stop is forced
	grace    error      // ErrRequestGrace, once it is over
	report   Report
	aborted  int          // requests that were reported as aborted
	lost     AbortedError // what becomes the error of Stop
}

// begin begins a stop, or joins the one that began before, with the time of ctx as a
// limit.
func (s *Server) begin(ctx context.Context, trigger Trigger) *stop {
	deadline, _ := ctx.Deadline()
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.stop; st != nil {
		if st.budget.limit(deadline, s.now(), s.cfg.StopReserve) {
			st.wakeUp()
		}
		return st
	}
	stats, totals := s.conns.count()
	st := &stop{
		s:       s,
		trigger: trigger,
		forced:  make(chan struct{}),
		cutNow:  make(chan struct{}),
		ended:   make(chan struct{}),
		before:  totals,
		report:  Report{Trigger: trigger, Began: time.Now(), Connections: stats.Open()},
	}
	st.tender = tender{
		set:    s.conns,
		graces: graces{idle: s.cfg.IdleGrace, hijack: s.cfg.HijackGrace},
		wake:   make(chan struct{}, 1),
		record: st.recordEnd,
	}
	st.budget.limit(deadline, s.now(), s.cfg.StopReserve)
	s.stop = st
	if s.keeper != nil {
		s.keeper.stop.Store(&st.tender)
	}
	if !s.setUnreadyLocked() {
		st.unready = s.now() - s.unreadyAt
	}
	st.unreadyAt = s.unreadyAt
	switch s.state {
	case stateNew:
		s.stopUnservedLocked(st)
		close(st.ended)
	case stateStarting:
		s.abort()
		go st.run(s.starting)
	default:
		s.state = stateStopping
		go st.run(nil)
	}
	return st
}

// stopUnservedLocked ends the life of a server that never served.
func (s *Server) stopUnservedLocked(st *stop) {
	st.mu.Lock()
	st.report.Duration = max(time.Since(st.report.Began), 1)
	st.mu.Unlock()
	s.state = stateStopped
	close(s.draining)
	s.closeDoneLocked()
}

func (s *Server) closeDoneLocked() {
	if !isClosed(s.done) { // the listener failed
		close(s.done)
	}
}

// force ends the graceful part of the stop. With ErrBudget, handlers have the force
// window to answer; otherwise everything is cut at once.
func (st *stop) force(reason error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.reason == nil {
		st.reason = reason
		close(st.forced)
	}
	if !errors.Is(reason, ErrBudget) && !isClosed(st.cutNow) {
		close(st.cutNow)
		st.wakeUp() // the wait for what was cut is shorter now
	}
}

// within returns a timer that fires after most, or when the force phase is due.
func (st *stop) within(most time.Duration) *time.Timer {
	if forceAt, _, _ := st.budget.moments(); forceAt != 0 {
		most = min(most, max(forceAt-st.s.now(), 0))
	}
	return time.NewTimer(most)
}

// run is the goroutine of the stop.
func (st *stop) run(starting <-chan struct{}) {
	defer close(st.ended)
	if starting != nil && !st.awaitStart(starting) {
		return
	}
	st.askListener()
	st.plan()
	if st.spread.lasts > 0 {
		st.phase(PhaseAnnounce, st.announce)
		st.phase(PhaseDelay, st.delay)
	} else {
		st.phase(PhaseDelay, st.delay)
		st.phase(PhaseAnnounce, st.announce)
	}
	st.phase(PhaseListener, st.closeListener)
	st.phase(PhaseDrain, st.drain)
	st.abandonListener()
	if !st.s.conns.isEmpty() {
		st.phase(PhaseForce, st.cutAll)
	}
	st.finish()
}

func (st *stop) phase(name PhaseName, f func() (ran bool)) {
	t := time.Now()
	st.mu.Lock()
	st.phaseNow = name
	st.mu.Unlock()
	if !f() {
		return
	}
	st.mu.Lock()
	st.report.Phases = append(st.report.Phases, Phase{Name: name, Duration: time.Since(t)})
	st.mu.Unlock()
}

// awaitStart waits for the Start under way, whose context begin has cancelled, and
// reports whether there is something to stop. If that Start takes too long, blocked by a
// user's hook, it finds that it came too late.
func (st *stop) awaitStart(starting <-chan struct{}) bool {
	for waiting := true; waiting; {
		t := st.within(maxDuration)
		select {
		case <-starting:
			waiting = false
		case <-st.forced:
			waiting = false
		case <-t.C:
			waiting = false
		case <-st.wake: // somebody joined with less time
		}
		t.Stop()
	}
	s := st.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stateStopping {
		return true // Start has succeeded
	}
	s.stopUnservedLocked(st)
	return false
}

// finish completes the report and ends the stop.
func (st *stop) finish() {
	s := st.s
	s.cancel(ErrStopping)
	st.mu.Lock()
	st.sumLocked()
	e := &Stopped{Report: st.report.clone(), Err: st.err}
	st.mu.Unlock()

	s.sentinel.release() // the given server's Shutdown returns, and its caller may ask for the report
	st.awaitServers()
	unclaim(s.given)

	s.mu.Lock()
	s.state = stateStopped
	if s.err == nil {
		s.err = st.err
	}
	s.closeDoneLocked()
	s.mu.Unlock()

	s.events.emit(e)
	s.events.flush(st.rest(maxFlush))
}

// sumLocked sums up the account, and makes the error of Stop.
func (st *stop) sumLocked() {
	stats, now := st.s.conns.count()
	r := &st.report
	r.sum(stats, st.before, now)
	if lost := st.lost; lost.Count > 0 || r.Unbegun > 0 {
		lost.Unbegun, lost.Reason = r.Unbegun, cmp.Or(st.reason, st.grace, ErrStopping)
		st.err = &lost
	}
	r.Duration = max(time.Since(r.Began), 1)
}

// awaitServers waits for the goroutines that Start began: they have nothing left to do,
// unless user code blocks them.
func (st *stop) awaitServers() {
	t := time.NewTimer(st.rest(schedulingSlack))
	defer t.Stop()
	for _, ended := range []<-chan struct{}{st.s.served, st.s.sentinel.ended, st.s.sentinel.gone} {
		select {
		case <-ended:
		case <-t.C:
			return
		}
	}
}

// rest returns most, or what is left of the budget if that is less.
func (st *stop) rest(most time.Duration) time.Duration {
	if _, _, end := st.budget.moments(); end != 0 {
		most = min(most, max(end-st.s.now(), lateSlack))
	}
	return most
}

// Report returns what the last stop did, or has done so far.
func (s *Server) Report() Report {
	s.mu.Lock()
	st := s.stop
	s.mu.Unlock()
	if st == nil {
		return Report{}
	}
	stats, now := s.conns.count()
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.report.clone()
	if r.Duration == 0 {
		r.sum(stats, st.before, now)
	}
	return r
}
