package fxshutdown_test

import (
	"cmp"
	"context"
	"net/http"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

const (
	// What the engine promises about silence: see timing.go.
	maxTrickle    = 300 * ms
	maxClientWait = 500 * ms
	cutDelay      = 100 * ms

	// queueStill is how long the accept queue of a pipe must be quiet.
	queueStill = 5 * ms

	// settleMost is how long a stop by force waits for handlers.
	settleMost = 50 * ms
	lateMost   = 5 * ms
)

// stop calls Stop: it begins the stop, or joins it.
func (s *sim) stop(budget time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	if budget >= 0 {
		ctx, cancel = context.WithTimeout(context.Background(), budget)
	}
	if s.beginStop("stop", budget) {
		s.cancel = cancel
	}
	s.others.Go(func() {
		defer cancel()
		s.server.Stop(ctx)
	})
	if budget == 0 {
		s.forceNow(fxshutdown.ErrBudget)
	}
}

// beginStop is the model of a stop's beginning. A negative budget has no end.
func (s *sim) beginStop(trigger string, budget time.Duration) (begins bool) {
	now := time.Now()
	begins = s.stopAt.IsZero()
	shortened := false
	if begins {
		s.stopAt, s.trigger = now, trigger
		s.begins()
	}
	if budget >= 0 {
		reserve := cmp.Or(s.cfg.StopReserve, min(budget/10, 2*time.Second))
		reserve = min(max(reserve, 0), budget/2)
		shortened = s.endBy(now.Add(budget - reserve))
		s.contextEnds = earlierSet(s.contextEnds, now.Add(budget))
	}
	room := func(d time.Duration) bool { return s.end.IsZero() || !now.Add(d+2*s.grace()).After(s.forceAt()) }
	switch {
	case begins && (trigger != "stop" || len(s.conns) == 0 || !room(s.cfg.ShutdownDelay)):
		s.drainAt = now
	case begins:
		s.drainAt = now.Add(s.cfg.ShutdownDelay)
	case shortened && now.Before(s.drainAt) && !room(s.drainAt.Sub(now)):
		s.drainAt = now
	}
	if !s.contextEnds.IsZero() {
		s.drainAt = earlier(s.drainAt, s.contextEnds)
	}
	return begins
}

// begins notes what a stop finds.
func (s *sim) begins() {
	s.atStop.begun = s.begun
	for _, c := range s.conns {
		if c.state == http.StateActive {
			s.atStop.undecided++
		}
	}
	s.answered, s.failedSince, s.hijacks, s.lastGone = 0, 0, 0, time.Time{}
	s.others.Go(func() {
		<-s.server.Done()
		s.stoppedAt, s.stopErr = time.Now(), s.server.Err()
		close(s.stopped)
	})
}

func (s *sim) endBy(end time.Time) (shortened bool) {
	shortened = s.end.IsZero() || end.Before(s.end)
	if shortened {
		s.end, s.window = end, min(max(time.Until(end), 0)/10, 500*ms)
		if !s.cutBy.IsZero() {
			s.cutBy = s.cutAt()
		}
	}
	return shortened
}

func (s *sim) forceAt() time.Time { return s.end.Add(-s.window) }
func (s *sim) cutAt() time.Time   { return s.end.Add(-s.window / 4) }

func (s *sim) grace() time.Duration {
	return max(cmp.Or(s.cfg.IdleGrace, fxshutdown.DefaultIdleGrace), 0)
}

// listenerUntil returns when the listener is closed.
func (s *sim) listenerUntil() time.Time {
	until := s.drainAt.Add(queueStill)
	if at := s.lastDial.Add(queueStill); at.After(until) {
		until = at
	}
	if !s.end.IsZero() {
		until = earlier(until, later(s.forceAt(), s.drainAt))
	}
	if !s.contextEnds.IsZero() {
		until = earlier(until, later(s.contextEnds, s.drainAt))
	}
	if !s.forcedAt.IsZero() {
		until = earlier(until, later(s.forcedAt, s.drainAt))
	}
	return until
}

func (s *sim) hijackAt() time.Time {
	if s.cfg.HijackGrace <= 0 || s.drainAt.IsZero() {
		return time.Time{}
	}
	return later(s.drainAt.Add(s.cfg.HijackGrace), s.listenerUntil())
}

func (s *sim) tellHijacked(c *simConn) {
	if !c.reported {
		c.reported = true
		c.hijackCut = time.Now().Add(cutDelay)
		s.cut++
	}
}

func (s *sim) force(arg int) {
	switch {
	case arg%3 == 1 && s.cancel != nil:
		s.forceNow(fxshutdown.ErrForced)
		s.cancel()
	case arg%3 == 2:
		s.beginStop("http.Server", -1)
		s.forceNow(fxshutdown.ErrForced)
		s.others.Go(func() { s.http.Close() })
	default:
		s.beginStop("close", -1)
		s.forceNow(fxshutdown.ErrForced)
		s.others.Go(func() { s.server.Close() })
	}
}

// forceNow is the model of a forced stop, or of a Stop that had no time.
func (s *sim) forceNow(reason error) {
	if s.reason != nil && reason == fxshutdown.ErrBudget {
		return // too late to have an effect
	}
	if reason == fxshutdown.ErrForced && s.cutTime.IsZero() {
		s.cutAtOnce = true
	}
	now := time.Now()
	s.drainAt = earlier(s.drainAt, now)
	s.forcedAt = earlierSet(s.forcedAt, now)
	if s.reason == nil {
		s.reason = reason
	}
}

// cancelAll is the model of cancelled contexts.
func (s *sim) cancelAll() {
	if !s.cancelledAt.IsZero() {
		return
	}
	s.cancelledAt = time.Now()
	for _, c := range s.conns {
		if c.state == http.StateActive {
			c.call.cancelled = true
			s.settle(c)
		}
	}
}

// cutAll is the model of the cut.
func (s *sim) cutAll() {
	if !s.cutTime.IsZero() {
		return
	}
	now := time.Now()
	s.cutTime = now
	s.cancelledAt = earlierSet(s.cancelledAt, now)
	for _, c := range s.conns {
		switch {
		case c.waits():
			s.dropped++
			s.close(c)
		case c.state == http.StateHijacked || c.call != nil && c.call.closed && c.call.running:
			// A connection that its handler has closed while it still runs is named as
			// well.
			if !c.reported {
				c.reported = true
				s.cut++
			}
			s.close(c)
		case c.state == http.StateActive && (c.call.kind == 'c' && !c.call.cancelled || c.call.kind == 'd' && s.drainAt.Equal(now)):
			// The handler returns while it is cut.
			c.call.running = false
			s.either++
			// It returns before the pipelined request begins, or after.
			s.unclear = s.unclear || c.call.committed && c.kinds != ""
			s.close(c)
		case c.state == http.StateActive:
			s.aborted++
			s.abortedSince++
			if c.call.flushed && c.call.asked {
				s.streams++
			}
			s.close(c)
		}
	}
}

// due returns when the model next does something on its own; zero means never.
func (s *sim) due() time.Time {
	now := time.Now()
	var next time.Time
	add := func(at time.Time) {
		if at.After(now) {
			next = earlierSet(next, at)
		}
	}
	if s.drainAt.IsZero() {
		return next
	}
	add(s.drainAt)
	add(s.listenerUntil())
	if s.cfg.RequestGrace > 0 {
		add(later(s.drainAt.Add(s.cfg.RequestGrace), s.listenerUntil()))
	}
	if at := s.hijackAt(); !at.IsZero() {
		add(at)
	}
	for _, c := range s.conns {
		if !c.hijackCut.IsZero() {
			add(c.hijackCut)
		}
	}
	if !s.end.IsZero() {
		add(s.forceAt())
		add(s.cutAt())
		add(s.cutBy)
	}
	return next
}

// sleep lets time pass, and stops whenever the model does something.
func (s *sim) sleep(d time.Duration) {
	until := time.Now().Add(d)
	for !s.t.Failed() && !isClosed(s.stopped) {
		at := earlierSet(s.due(), until)
		time.Sleep(time.Until(at))
		synctest.Wait()
		s.observe()
		s.act()
		s.check("sleep")
		if !at.Before(until) {
			return
		}
	}
}

// act does what the model does at this time.
func (s *sim) act() {
	now := time.Now()
	if s.drainAt.IsZero() || now.Before(s.drainAt) || !s.cutTime.IsZero() {
		return
	}
	if !s.draining {
		s.draining = true
		for _, c := range s.conns {
			if c.state != http.StateClosed {
				s.sign(c.quiet)
			}
		}
		if s.cfg.DrainTimeout > 0 {
			s.endBy(s.drainAt.Add(s.cfg.DrainTimeout))
		}
	}
	listenerClosed := !now.Before(s.listenerUntil())
	budgetOver := !s.cutBy.IsZero() || listenerClosed && !s.end.IsZero() && !now.Before(s.forceAt())
	if budgetOver && s.reason == nil {
		s.reason = fxshutdown.ErrBudget
	}
	if budgetOver && s.cutBy.IsZero() {
		s.forceBegan, s.cutBy = now, s.cutAt()
	}
	if !s.forcedAt.IsZero() || budgetOver && !now.Before(s.cutBy) {
		s.cutAll()
		return
	}
	for _, c := range s.conns {
		s.settle(c)
	}
	if budgetOver {
		s.cancelAll()
		return
	}
	if s.cfg.RequestGrace > 0 && !now.Before(later(s.drainAt.Add(s.cfg.RequestGrace), s.listenerUntil())) {
		s.cancelAll()
	}
	if at := s.hijackAt(); !at.IsZero() && !now.Before(at) {
		for _, c := range s.conns {
			if c.state == http.StateHijacked {
				s.tellHijacked(c)
			}
		}
	}
	for _, c := range s.conns {
		if c.state == http.StateHijacked && !c.hijackCut.IsZero() && !now.Before(c.hijackCut) {
			s.close(c)
			c.call.closed = true
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlierSet(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return earlier(a, b)
}
