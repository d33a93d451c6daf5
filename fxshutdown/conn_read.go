package fxshutdown

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// The goroutine that reads decides whether a connection is idle. A decision from outside
// would throw away bytes that were read but not counted yet. So the stop interrupts the
// reader by a deadline in the past, and a reader that has got nothing drops the
// connection or reads on.
//
// This is why a conn owns its read deadline. As the owner it can also be lazy: net/http
// moves the deadline six times per request, and all that counts is where it stands while
// somebody reads.

// errDropped is what net/http reads from a connection that is dropped. net/http does not
// answer an *net.OpError of a read.
var errDropped = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection dropped by the stop")}

// readDeadline is the deadline of reads: the one that was asked for, and the one
// that the socket has, which may be earlier while somebody reads, and anything
// while nobody does.
type readDeadline struct {
	wanted atomic.Int64 // moment; 0: none
	actual atomic.Int64 // the same; written with conn.mu held
}

// isSocket reports whether raw is a socket of the net package.
func isSocket(raw net.Conn) bool {
	switch raw.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// late reports whether a read would outlast the deadline that was asked for, or
// fail at once without need.
func (d *readDeadline) late() bool {
	wanted, actual := d.wanted.Load(), d.actual.Load()
	return actual == int64(longAgo) && wanted != int64(longAgo) ||
		wanted != 0 && (actual == 0 || wanted < actual)
}

// apply gives the socket of c the deadline that was asked for. The caller holds c.mu.
func (d *readDeadline) apply(c *conn) error {
	if c.bypassed {
		return nil
	}
	return d.set(c, moment(d.wanted.Load()))
}

// set gives the socket of c another deadline. The caller holds c.mu.
func (d *readDeadline) set(c *conn, at moment) error {
	d.actual.Store(int64(at))
	return c.Conn.SetReadDeadline(c.set.timeOf(at))
}

// interruptRead is the state of an interruption of the reader.
type interruptRead struct {
	state interruptState
	reads uint8 // how many last reads have begun
}

type interruptState uint8

const (
	interruptNone    interruptState = iota
	interruptPending                // the reader is being woken, to drop the connection unless something came
	interruptFinal                  // the same, and the client's time is over
	interruptSpent                  // a byte came even then: the client trickles
)

func (s interruptState) pending() bool {
	return s == interruptPending || s == interruptFinal
}

func (c *conn) Read(p []byte) (int, error) {
	c.beginRead(len(p))
	for {
		n, err := c.Conn.Read(p)
		if n == 0 && err != nil && c.deadline.wanted.Load() != int64(longAgo) && isTimeout(err) {
			var again bool
			if again, err = c.timedOut(err); again {
				continue
			}
		}
		c.endRead(n, len(p), err)
		if n > 0 && c.h2 != nil && c.retired.Load() {
			c.awaitRelease()
		}
		return n, err
	}
}

// isTimeout reports whether a read ended at a deadline. Not every connection returns
// os.ErrDeadlineExceeded then.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// beginRead notes that it is now the client's turn. The time before that, such as for
// computing a TLS handshake, does not count as its silence.
func (c *conn) beginRead(size int) {
	c.reading.Store(readsOf(size))
	retired := c.retired.Load()
	stage := c.stage.Load()
	if !retired && stage > stageNew && !c.deadline.late() {
		return
	}
	c.mu.Lock()
	switch c.stage.Load() {
	case stageAccepted:
		c.resumeLocked()
		c.stage.setLocked(stageNew)
		c.quiet = c.set.now()
		if retired {
			c.joinClientLocked()
		}
	case stageNew:
		c.quiet = c.set.now()
	}
	if c.deadline.late() && !c.intr.state.pending() {
		c.deadline.apply(c)
	}
	due := retired && (c.noteRestLocked() || c.part && c.waitingLocked())
	c.mu.Unlock()
	if due {
		c.set.changed(c) // what was due while nobody read had to wait
	}
}

// noteRestLocked reports whether net/http is reading the rest of a request that is
// answered: then its response is written, and the connection is about to close. The byte
// that net/http reads ahead does not count, nor does a body that is read before the
// response is written.
func (c *conn) noteRestLocked() (ends bool) {
	if c.reading.Load() == readsMore && c.writes.underWay() == 0 && c.answerOutLocked() {
		c.closingLocked()
	}
	ends = c.closing == closingHTTP && c.stage.Load().active()
	if ends && c.exit != nil {
		c.exit.asked = c.set.now()
	}
	return ends
}

// answerOutLocked reports whether the response of the handler that returned last is
// written, given that no write is under way. It is if it says close, since net/http
// writes such a response before it reads on; if its header was out before its handler
// returned; or if something has been written since.
func (c *conn) answerOutLocked() bool {
	x := c.undecided
	return x != nil && (x.saidClose() || x.flushed || c.writes.ended() != c.wroteBefore)
}

// endRead notes that n bytes came, into a buffer of the given size, or an error.
func (c *conn) endRead(n, size int, err error) {
	c.reading.Store(readsNothing)
	if n == 0 {
		if err != nil && c.stage.Load() == stageHijacked && !isTimeout(err) {
			c.takeoverOver()
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumeLocked()
	switch c.stage.Load() {
	case stageRead, stageActive:
		c.ahead.note(size == 1)
	case stageIdle:
		if c.h2 != nil {
			return // quiet when it has no streams, whatever it sends
		}
		c.noteBytesLocked()
	case stageAccepted, stageNew:
		c.noteBytesLocked()
	}
}

// noteBytesLocked notes that part of a request, or of a handshake, has arrived.
func (c *conn) noteBytesLocked() {
	now := c.set.now()
	if c.retired.Load() {
		c.exit.waited += now - max(c.quiet, c.exit.at)
	}
	c.part, c.quiet = true, now
	c.noteClientLocked(now, 0)
}

// timedOut decides what a read that ended at a deadline means.
func (c *conn) timedOut(err error) (again bool, _ error) {
	c.mu.Lock()
	again, err = c.timedOutLocked(err)
	resumed := again && c.retired.Load() && !c.intr.state.pending()
	c.mu.Unlock()
	if resumed {
		c.set.changed(c)
	}
	return again, err
}

func (c *conn) timedOutLocked(err error) (again bool, _ error) {
	now := c.set.now()
	wanted := moment(c.deadline.wanted.Load())
	switch {
	case wanted != 0 && now >= wanted:
		return false, err // the deadline that was asked for
	case !c.intr.state.pending() && (!c.lazy || c.stage.Load() == stageHijacked):
		return false, err // one that was not set through this wrapper
	case !c.intr.state.pending():
		c.deadline.apply(c) // the socket had a stale deadline
		return true, nil
	case !c.waitingLocked() || c.intr.state == interruptPending && c.clientStirredLocked(now):
		c.resumeLocked()
		return true, nil
	case c.intr.reads < lastReads:
		c.intr.reads++
		c.deadline.set(c, c.set.now()+lastRead/lastReads)
		return true, nil
	}
	c.dropped = true
	return false, errDropped
}

// interruptLocked asks the reader to drop the connection unless something has arrived. A
// final interruption is the client's last chance.
func (c *conn) interruptLocked(now moment, final bool) {
	c.exit.asked = now
	c.intr = interruptRead{state: interruptPending}
	if final {
		c.intr.state = interruptFinal
	}
	if c.bypassed {
		c.dropped = true // no reader of ours will be woken to decide
		c.underTLS().SetReadDeadline(c.set.timeOf(longAgo))
		return
	}
	c.deadline.set(c, longAgo)
}

// resumeLocked ends an interruption for which the connection was not dropped.
func (c *conn) resumeLocked() {
	if !c.intr.state.pending() {
		return
	}
	spent := c.intr.state == interruptFinal
	c.exit.asked, c.intr = 0, interruptRead{}
	if spent {
		c.intr.state = interruptSpent
	}
	if c.bypassed {
		// The deadline that net/http had asked for was not set through this wrapper.
		c.dropped = false
		c.underTLS().SetReadDeadline(time.Time{})
		return
	}
	c.deadline.apply(c)
}

// SetReadDeadline moves the socket's deadline only where that can make a difference: if
// the new one is earlier than that of a read under way, or is the first of a connection.
// If it is lifted, or if an idle connection gets another one, the next read sees that.
func (c *conn) SetReadDeadline(t time.Time) error {
	at := c.set.momentOf(t)
	c.deadline.wanted.Store(int64(at))
	if c.lazy && !c.retired.Load() {
		switch stage := c.stage.Load(); {
		case !stage.active() && stage != stageIdle:
		case at == 0, stage == stageIdle && c.reading.Load() == readsNothing:
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stage.Load() == stageNew && c.part {
		// The TLS handshake is over: net/http changes the deadline then, if it has
		// any. What came was not a request.
		c.part, c.quiet = false, c.set.now()
	}
	if c.intr.state.pending() {
		return nil // applied when the reader is done with the interruption
	}
	return c.deadline.apply(c)
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
