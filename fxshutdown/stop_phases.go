package fxshutdown

import (
	"context"
	"time"
)

// plan decides how much time there is for the delay and for the spread, and emits
// StopBegan.
func (st *stop) plan() {
	s := st.s
	now := s.now()
	st.planSpread(now)
	forceAt, _, end := st.budget.moments()
	delay, skipped := s.cfg.ShutdownDelay, SkipReason("")
	until := st.unreadyAt + delay
	stats := s.Stats()
	switch {
	case delay == 0:
	case st.trigger != TriggerStop:
		skipped = SkipTrigger
	case st.listener.handedOver:
		skipped = SkipHandedOver
	case until <= now:
		skipped = SkipElapsed
	case end != 0 && until+2*s.cfg.IdleGrace > forceAt:
		skipped = SkipTooLong // before SkipUnused: a stop in a test shows it, too
	case stats.Accepted == 0:
		skipped = SkipUnused
	}
	if delay > 0 && skipped == "" {
		st.delayUntil = until
	}
	left, reserve, window := st.budget.shares()
	s.events.emit(&StopBegan{
		Trigger:       st.trigger,
		Timeout:       left,
		Reserve:       reserve,
		Force:         window,
		ShutdownDelay: delay,
		UnreadyFor:    st.unready,
		SkipReason:    skipped,
		DrainSpread:   st.spread.wanted,
		Spread:        st.spread.lasts,
		Stats:         stats,
	})
}

// delay is the delay phase: readiness fails, since begin or SetUnready, and nothing else
// changes, unless the connections retire one by one meanwhile.
func (st *stop) delay() bool {
	if st.delayUntil == 0 {
		return false
	}
	if st.spread.lasts > 0 {
		st.tend(func(now, forceAt moment) (bool, moment) {
			return st.isDelayOver(now, forceAt), st.delayUntil
		})
		return true
	}
	t := time.NewTimer(st.delayUntil - st.s.now())
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return true
		case <-st.forced:
			return true
		case <-st.wake:
			if forceAt, _, _ := st.budget.moments(); st.isDelayOver(st.s.now(), forceAt) {
				return true
			}
		}
	}
}

// isDelayOver reports whether the delay has passed, or no longer fits because somebody
// has joined the stop with less time.
func (st *stop) isDelayOver(now, forceAt moment) bool {
	return now >= st.delayUntil || forceAt != 0 && st.delayUntil+2*st.s.cfg.IdleGrace > forceAt
}

// announce is the announce phase: every connection retires, at once or in its turn.
func (st *stop) announce() bool {
	s := st.s
	st.drainAt = s.now()
	told := st.drainAt + st.spread.lasts
	st.progressAt = told + progressAfter
	if t := s.cfg.RequestGrace; t > 0 {
		st.requestAt = told + t
	}
	if t := s.cfg.DrainTimeout; t > 0 {
		st.budget.endBy(st.drainAt, st.drainAt+t)
	}
	s.endKeeper()
	s.conns.watcher.Store(&watcher{changed: st.reschedule, emptied: st.wakeUp, cancelled: st.noteCancelled})
	if st.spread.lasts > 0 {
		st.spread.begin(s.conns.retireLater(), st.drainAt)
	} else {
		s.conns.retireAll()
	}
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
	// It returns at once, unless somebody else calls Serve on the given server: Shutdown
	// waits for that Serve whatever its context says.
	t := st.within(schedulingSlack)
	defer t.Stop()
	select {
	case <-returned:
	case <-t.C:
	}
}

// drain is the drain phase: idle connections are dropped when they are due, and the stop
// waits for active ones.
func (st *stop) drain() bool {
	st.tend(func(moment, moment) (bool, moment) {
		return st.isListenerClosed() && st.s.conns.isEmpty(), 0
	})
	return true
}

// tend looks after the connections until over reports that the phase has ended, or until
// the force phase is due. over gets the time and the moment at which the force phase is
// due, and also returns when to ask again at the latest.
func (st *stop) tend(over func(now, forceAt moment) (bool, moment)) {
	s := st.s
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := s.now()
		forceAt, _, _ := st.budget.moments()
		isOver, askAt := over(now, forceAt)
		if isOver || isClosed(st.forced) {
			return
		}
		if forceAt != 0 && now >= forceAt {
			st.force(ErrBudget)
			return
		}
		if st.requestAt != 0 && now >= st.requestAt {
			st.requestAt = 0
			st.mu.Lock()
			st.grace = ErrRequestGrace
			st.mu.Unlock()
			st.cancelRequests(ErrRequestGrace)
		}
		if now >= st.progressAt {
			if s.events.logger != nil { // otherwise it would look at every connection for nothing
				st.logProgress(now, forceAt)
			}
			st.progressAt = now + (now - st.drainAt)
		}
		st.next.Store(0) // a connection that changes during the sweep wakes us
		next := earliest(st.nextTurn(now, forceAt), st.sweepAt(now), askAt, forceAt, st.requestAt, st.progressAt)
		st.next.Store(int64(next))
		timer.Reset(next - s.now())
		select {
		case <-timer.C:
		case <-st.wake:
		case <-st.forced:
		}
	}
}

// nextTurn continues the spread, and returns when to do so again.
func (st *stop) nextTurn(now, forceAt moment) moment {
	switch {
	case st.spread.over():
		return 0
	case forceAt == 0:
		return st.spread.next(now, maxDuration)
	}
	return st.spread.next(now, forceAt-2*st.s.cfg.IdleGrace)
}

// sweepAt sweeps, unless that was done a moment ago: otherwise each of thousands of
// connections that become due one by one would cost a look at all of them. It returns
// when to sweep again.
func (st *stop) sweepAt(now moment) (next moment) {
	if now < st.restUntil {
		return st.restUntil
	}
	next = st.sweep(now)
	ended := st.s.now()
	st.restUntil = ended + sweepRest*(ended-now)
	if next != 0 {
		next = max(next, st.restUntil)
	}
	return next
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
