package fxshutdown

import (
	"errors"
	"net"
	"time"
)

// listenerEnd is what a stop knows of its listener.
type listenerEnd struct {
	owner      owner
	handedOver bool   // a successor accepts already
	before     totals // the account at the listener phase, if the listener stays open then

	shut    chan bool     // receives once whether the listener is closed; nil: it stays open
	shutAt  time.Time     // when shut was made
	giveUp  chan struct{} // closed when its queue is no longer to be emptied
	settled bool          // it is over, and in the report
}

// askListener asks who has the listener's socket.
func (st *stop) askListener() {
	cfg, end := &st.s.cfg, &st.listener
	if f := cfg.ListenerHandedOver; f != nil && f() {
		end.owner, end.handedOver = ownerOther, true
		return
	}
	if f := cfg.ListenerOwned; f != nil {
		end.owner = ownerOther
		if f() {
			end.owner = ownerUs
		}
	}
}

// closeListener is the listener phase: each connection in the accept queue is a client
// that believes it is connected. A listener that somebody else keeps open, and one whose
// queue waits for descriptors, are closed during the drain.
func (st *stop) closeListener() bool {
	end := &st.listener
	if end.owner == ownerOther && !end.handedOver {
		_, end.before = st.s.conns.count()
		return false
	}
	st.shutListener()
	for until := st.s.now() + maxHandshake + schedulingSlack; ; {
		t := st.within(until - st.s.now())
		select {
		case closed := <-end.shut:
			t.Stop()
			st.settleListener(closed)
			return true
		case <-st.wake: // somebody joined, maybe with less time
			t.Stop()
			continue
		case <-st.s.ln.starved:
			t.Stop()
			return true
		case <-st.forced:
		case <-t.C:
		}
		t.Stop()
		st.abandonListener()
		return true
	}
}

// shutListener begins to close the listener.
func (st *stop) shutListener() {
	end := &st.listener
	end.shut, end.giveUp, end.shutAt = make(chan bool, 1), make(chan struct{}), time.Now()
	go func() {
		end.shut <- st.s.ln.shut(end.owner, end.giveUp)
		st.wakeUp()
	}()
}

// isListenerClosed reports whether the listener is closed. It closes a listener that
// somebody else keeps open once the connections are gone that were open when the drain
// began: if it did so earlier, clients would wait in the queue for whoever accepts next.
func (st *stop) isListenerClosed() bool {
	end := &st.listener
	if !end.settled && end.shut == nil && !st.s.conns.hasEarly() {
		st.shutListener()
	}
	select {
	case closed := <-end.shut:
		st.settleListener(closed)
	default:
	}
	return end.settled
}

// abandonListener closes the listener if it is still open, whatever its queue holds.
func (st *stop) abandonListener() {
	end := &st.listener
	if end.settled {
		return
	}
	if end.shut == nil {
		st.shutListener()
	}
	close(end.giveUp)
	st.settleListener(<-end.shut)
}

// settleListener reports the end of the listener.
func (st *stop) settleListener(closed bool) {
	s, ln := st.s, st.s.ln
	st.listener.settled = true
	s.conns.close()
	s.mu.Lock()
	failed := s.err != nil
	s.mu.Unlock()
	e := &ListenerClosed{
		Duration:  time.Since(st.listener.shutAt),
		Shared:    st.listener.owner == ownerOther,
		FilterErr: ln.unguarded,
	}
	if closed {
		e.Unaccepted = ln.left
		if !failed || !errors.Is(ln.closeErr, net.ErrClosed) { // it is known to have failed
			e.Err = ln.closeErr
		}
	}
	if isClosed(ln.ended) { // otherwise the accepting goroutine is blocked
		e.Queued, e.Flooded = ln.queue.accepted, ln.queue.flooded
		e.Handshakes, e.AcceptErr = ln.queue.handshakes, ln.queue.err
	}
	if end := &st.listener; end.owner == ownerOther && !end.handedOver {
		_, now := s.conns.count()
		e.Queued = int(now.Accepted - end.before.Accepted)
	}
	st.mu.Lock()
	r := &st.report
	r.Queued, r.Unaccepted, r.Handshakes = e.Queued, e.Unaccepted, e.Handshakes
	r.AcceptErr, r.ListenerErr = e.AcceptErr, e.Err
	st.mu.Unlock()
	s.events.emit(e)
}
