package fxshutdown

import (
	"context"
	"time"
)

// delay is phase 0: readiness fails since begin, nothing else changes.
func (st *stop) delay() bool {
	s := st.s
	now := s.now()
	forceAt, _, end := st.budget.moments()
	delay, skipped := s.cfg.ShutdownDelay, SkipReason("")
	stats := s.Stats()
	switch {
	case delay == 0:
	case st.trigger != TriggerStop:
		skipped = SkipTrigger
	case stats.Accepted == 0:
		skipped = SkipUnused
	case end != 0 && now+delay+2*s.cfg.IdleGrace > forceAt:
		skipped = SkipNoRoom
	}
	left, reserve, window := st.budget.shares()
	s.events.emit(&Stopping{
		Trigger: st.trigger,
		Left:    left,
		Reserve: reserve,
		Force:   window,
		Delay:   delay,
		Skipped: skipped,
		Stats:   stats,
	})
	if delay == 0 || skipped != "" {
		return false
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-st.forced:
			return true
		case <-st.wake:
			// Somebody joined. With less time the rest may not fit any more.
			if forceAt, _, _ := st.budget.moments(); forceAt != 0 && now+delay+2*s.cfg.IdleGrace > forceAt {
				return true
			}
		}
	}
}

// announce is phase 1: every connection retires.
func (st *stop) announce() bool {
	s := st.s
	st.drainAt = s.now()
	st.progressAt = st.drainAt + progressAfter
	if t := s.cfg.RequestGrace; t > 0 {
		st.requestAt = st.drainAt + t
	}
	if t := s.cfg.DrainTimeout; t > 0 {
		st.budget.endBy(st.drainAt, st.drainAt+t)
	}
	s.conns.watcher.Store(&watcher{changed: st.reschedule, emptied: st.wakeUp, cancelled: st.noteCancelled})
	s.conns.retireAll()
	close(s.draining)
	s.events.emit(&DrainBegan{Stats: s.Stats()})
	if !isClosed(s.sentinel.shutdownCalled) { // by somebody else, during the delay
		st.shutdownGiven()
	}
	return true
}

// shutdownGiven runs what was registered by RegisterOnShutdown. The sentinel
// keeps Shutdown from returning before the drain has ended, but we need not wait
// for that.
func (st *stop) shutdownGiven() {
	st.s.conns.noteGivenShutdown()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		st.s.given.Shutdown(ctx)
	}()
	// It returns at once, unless somebody serves on the given server himself:
	// Shutdown waits for that Serve whatever its context says.
	t := st.within(schedulingSlack)
	defer t.Stop()
	select {
	case <-returned:
	case <-t.C:
	}
}

// drain is phases 3 and 4: idle connections are dropped when they are due,
// active ones are waited for.
func (st *stop) drain() bool {
	s := st.s
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if st.isListenerClosed() && s.conns.isEmpty() || isClosed(st.forced) {
			return true
		}
		now := s.now()
		forceAt, _, _ := st.budget.moments()
		if forceAt != 0 && now >= forceAt {
			st.force(ErrBudget)
			return true
		}
		if st.requestAt != 0 && now >= st.requestAt {
			st.requestAt = 0
			st.mu.Lock()
			st.grace = ErrRequestGrace
			st.mu.Unlock()
			st.cancelRequests(ErrRequestGrace)
		}
		if now >= st.progressAt {
			if s.events.logger != nil { // otherwise it would look at every connection for nobody
				st.logProgress(now, forceAt)
			}
			st.progressAt = now + (now - st.drainAt)
		}
		st.next.Store(0) // whoever changes behind the back of sweep wakes us
		next := earliest(st.sweep(now), forceAt, st.requestAt, st.progressAt)
		st.next.Store(int64(next))
		timer.Reset(next - s.now())
		select {
		case <-timer.C:
		case <-st.wake:
		case <-st.forced:
		}
	}
}

// sweep does what is due and returns when the next connection is.
func (st *stop) sweep(now moment) (next moment) {
	st.conns = st.s.conns.snapshot(st.conns)
	for _, c := range st.conns {
		next = earliest(next, st.look(c, now))
	}
	clear(st.conns)
	return next
}

// look does to a connection what is due, and returns when to look again.
func (st *stop) look(c *conn, now moment) (next moment) {
	if c.hasEndedUnseen() {
		c.takeoverOver()
		return 0
	}
	var res cutResult
	var tell *http2State
	reason := ErrStopping
	c.mu.Lock()
	v := st.graces.decide(c.viewLocked(now), now)
	if v.do == actInterrupt && unsent(c.underTLS()) {
		// Its client is not quiet, but still reads its last response.
		c.noteClientLocked(now, 0)
		v = st.graces.decide(c.viewLocked(now), now)
	}
	switch v.do {
	case actInterrupt, actInterruptFinal:
		c.interruptLocked(now, v.do == actInterruptFinal)
	case actGoAway:
		tell = c.h2
		tell.goAway, c.exit.asked = goAwayAsked, now
	case actRelease:
		c.h2.releaseLocked()
	case actHalfClose:
		_, reason = st.graces.hijackedUntil(c.viewLocked(now))
		res.takeover = c.halfCloseLocked(now)
	case actCut:
		if c.stage.Load() == stageHijacked {
			_, reason = st.graces.hijackedUntil(c.viewLocked(now))
		}
		res = c.cutLocked()
	}
	c.mu.Unlock()

	switch v.do {
	case actGoAway:
		tell.sendGoAway()
	case actHalfClose:
		go c.closeWrite() // one that is not a socket may block
	}
	st.recordCut(c, res, reason)
	return v.at
}

// reschedule is called when a connection has changed in a way that may make it
// due: run is woken if it would look too late.
func (st *stop) reschedule(c *conn) {
	c.mu.Lock()
	now := c.set.now()
	v := c.viewLocked(now)
	hasClient := c.exit.client != nil
	c.mu.Unlock()
	at := st.graces.decide(v, now).soonest(now)
	if hasClient && !v.clientBusy {
		// Its other connections may be due when it has been quiet.
		at = earliest(at, max(v.clientQuiet+st.graces.idle-lastRead, now))
	}
	if at == 0 {
		return
	}
	if next := moment(st.next.Load()); next == 0 || at < next {
		st.wakeUp()
	}
}

// logProgress says what the drain waits for.
func (st *stop) logProgress(now, forceAt moment) {
	s := st.s
	e := &StillDraining{Waited: now - st.drainAt, Stats: s.Stats()}
	s.conns.holding(func(r Request, k holdKind) {
		e.Requests = keepOldest(e.Requests, r)
		if st.hinted&k == 0 {
			st.hinted |= k
			e.Hints = append(e.Hints, k.hint())
		}
	})
	if forceAt != 0 {
		e.Left = forceAt - now
	}
	s.events.emit(e)
}
