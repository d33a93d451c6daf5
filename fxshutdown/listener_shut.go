package fxshutdown

import (
	"net"
	"time"
)

// owner says who has a listening socket that is to be closed.
type owner uint8

const (
	ownerUnknown owner = iota
	ownerUs            // nobody else accepts from the socket, or ever will
	ownerOther         // somebody else keeps it open: closing it here resets nobody
)

// shut makes Accept empty the queue and end, and closes the listener. If the socket is
// also somebody else's, its queue is left to them. shut reports whether the listener is
// closed, which it is not if its Close blocks. When giveUp is closed, shut no longer
// waits for the queue to be empty.
func (l *listener) shut(o owner, giveUp <-chan struct{}) bool {
	l.owner = o
	l.keepOthersAway()
	close(l.closing)
	if l.wakeAccept() {
		select {
		case <-l.ended:
		case <-giveUp: // a user's hook may block the accepting goroutine
		}
	} else if o != ownerOther {
		l.awaitStill(giveUp)
	}
	go l.Close()
	t := time.NewTimer(schedulingSlack)
	defer t.Stop()
	select {
	case <-l.closed:
	case <-t.C:
		return false
	}
	// A connection that Accept has just accepted must still be tracked.
	select {
	case <-l.ended:
	case <-giveUp:
		t.Reset(lateSlack)
		select {
		case <-l.ended: // it had to give up too, and knows what it could not accept
		case <-t.C:
		}
	case <-t.C:
	}
	return true
}

// wakeAccept wakes the Accept under way, and reports whether the listener has deadlines. One
// whose SetDeadline waits for Accept has none.
func (l *listener) wakeAccept() bool {
	dl, ok := l.Listener.(deadliner)
	if !ok {
		return false
	}
	set := make(chan bool, 1)
	go func() { set <- dl.SetDeadline(l.conns.timeOf(longAgo)) == nil }()
	t := time.NewTimer(maxQueue)
	defer t.Stop()
	select {
	case ok := <-set:
		return ok
	case <-t.C:
		return false
	}
}

// keepOthersAway keeps new clients away from the queue, where that is possible. A
// socket that another process may go on listening on, systemd or a successor,
// is left alone: what is done to it would outlive us.
func (l *listener) keepOthersAway() {
	if !l.openedHere && l.owner != ownerUs {
		return
	}
	if l.openedHere && l.file != nil {
		l.removeFile()
		l.keptAway = true
	}
	if l.kernel != nil {
		err := l.kernel.ignoreSYNs()
		l.keptAway = err == nil
		if !l.openedHere {
			l.unguarded = err
		}
	}
}

// awaitStill returns when an accept has waited for queueStill and got no connection: then
// the queue of a listener without deadlines was empty.
func (l *listener) awaitStill(giveUp <-chan struct{}) {
	wait := queueStill
	switch l.Addr().(type) {
	case *net.TCPAddr, *net.UnixAddr:
		wait = queueStillSocket
	}
	t := time.NewTicker(queueStillLook)
	defer t.Stop()
	for still, now := l.conns.now(), moment(0); now < still+wait; {
		select {
		case <-t.C:
		case <-l.ended:
			return
		case <-giveUp:
			return
		}
		now = l.conns.now()
		if since := moment(l.acceptingSince.Load()); since != 0 {
			still = max(still, since)
		} else {
			still = now
		}
	}
}
