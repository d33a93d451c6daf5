package fxshutdown

import (
	"context"
	"net"
	"sync/atomic"
)

// tender looks after connections that have retired: it does to each what decide says is
// due. Its goroutine is that of the stop or, while the server serves, that of the keeper;
// everybody else only wakes it.
type tender struct {
	set    *connSet
	graces graces
	wake   chan struct{} // receives when something changed that should be looked at
	next   atomic.Int64  // the moment for which the goroutine has set its timer; 0: none

	// record notes what it cost to end a connection, and why it was ended.
	record func(cutResult, error)
}

func (t *tender) wakeUp() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// look does to a connection what is due, and returns when to look again.
func (t *tender) look(c *conn, now moment) (next moment) {
	if !c.retired.Load() {
		return 0
	}
	if c.hasEndedUnseen() {
		c.takeoverOver()
		return 0
	}
	var res cutResult
	var tell *http2State
	var cancels []context.CancelCauseFunc
	c.mu.Lock()
	seen := c.viewLocked(now)
	v := t.graces.decide(seen, now)
	if v.do == actInterrupt && c.askKernelLocked(now, t.graces.idle) {
		seen = c.viewLocked(now)
		v = t.graces.decide(seen, now)
	}
	if v.do == actCut && c.deliversLocked(now) {
		seen = c.viewLocked(now)
		v = t.graces.decide(seen, now)
	}
	reason := t.graces.reason(seen)
	switch v.do {
	case actInterrupt, actInterruptFinal:
		c.interruptLocked(now, v.do == actInterruptFinal)
	case actGoAway:
		tell = c.h2
		tell.askGoAwayLocked(c, now)
	case actRelease:
		c.h2.releaseLocked()
	case actHalfClose:
		res.takeover = c.halfCloseLocked(now)
		if t.graces.serving {
			cancels = c.cancelsLocked()
		}
	case actCancel:
		c.exit.overdue = now
		c.cancelRunningLocked(func(Request) {})
		cancels = c.cancelsLocked()
	case actCut:
		res = c.cutLocked()
	}
	c.mu.Unlock()

	for _, cancel := range cancels {
		cancel(reason)
	}
	switch v.do {
	case actGoAway:
		tell.sendGoAway()
	case actHalfClose:
		go c.closeWrite() // this may block on a connection that is not a socket
	}
	t.record(res, reason)
	c.closeCut(res.raw)
	return v.at
}

// reschedule is called when a connection has changed in a way that may make it
// due: the goroutine is woken if it would look too late.
func (t *tender) reschedule(c *conn) {
	if at := t.dueAt(c); at != 0 {
		t.wakeBy(at)
	}
}

// dueAt returns when a connection is to be looked at; 0: when it changes.
func (t *tender) dueAt(c *conn) moment {
	c.mu.Lock()
	now := c.set.now()
	v := c.viewLocked(now)
	hasClient := c.exit.client != nil
	c.mu.Unlock()
	at := t.graces.decide(v, now).soonest(now)
	if hasClient && !v.clientBusy {
		// Its other connections may be due when it has been quiet.
		at = earliest(at, max(v.clientQuiet+t.graces.idle-lastRead, now))
	}
	return at
}

// wakeBy wakes the goroutine if it would look later than that.
func (t *tender) wakeBy(at moment) {
	if next := moment(t.next.Load()); next == 0 || at < next {
		t.wakeUp()
	}
}

// closeCut closes what a cut has left, if anything.
func (c *conn) closeCut(raw net.Conn) {
	if raw == nil {
		return
	}
	go func() { // Close of a connection that is not a socket may block
		raw.Close()
		c.mu.Lock()
		gone := c.goneLocked()
		c.mu.Unlock()
		if gone {
			c.set.remove(c)
		}
	}()
}
