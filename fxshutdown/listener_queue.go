package fxshutdown

import (
	"errors"
	"net"
	"os"
	"time"
)

// queue is what the accepting goroutine knows about the accept queue while emptying it.
type queue struct {
	until    time.Time // when emptying ends at the latest; zero: it has not begun
	accepted int
	owed     int           // to be accepted, however long they wait for room
	silent   time.Duration // how long nobody has come
	flooded  bool          // it did not run empty

	handshakes int           // still to come, as far as is known
	askAt      time.Time     // when to ask for them again
	askEvery   time.Duration // 0: not asked yet
	untold     bool          // the kernel does not tell

	failed int   // accepts, in a row
	err    error // of the last of them
}

// came notes a connection.
func (q *queue) came() {
	q.accepted++
	q.silent = 0
	q.handshakes = max(q.handshakes-1, 0)
	q.failed, q.err = 0, nil
}

// acceptQueued returns the next connection of the queue. When there is none it
// closes the listener and returns net.ErrClosed.
func (l *listener) acceptQueued() (net.Conn, error) {
	q := &l.queue
	if q.until.IsZero() {
		most := maxQueue
		if l.keptAway && l.kernel != nil {
			most = maxHandshake
		}
		q.until = time.Now().Add(most)
		q.owed = unknownQueue
		if n, told := l.waiting(); told {
			q.owed = n
		}
	}
	dl, hasDeadline := l.Listener.(deadliner)
	for open := true; open; {
		began := time.Now()
		wait := l.waitFor(began)
		if wait <= 0 {
			break
		}
		if !l.conns.hasRoom() {
			l.awaitTurn(wait)
			continue
		}
		if hasDeadline {
			dl.SetDeadline(time.Now().Add(wait))
		}
		raw, err := l.accept()
		switch {
		case err == nil:
			q.came()
			if c, ok := l.conns.track(raw); ok {
				return c, nil
			}
			raw.Close()
		case errors.Is(err, os.ErrDeadlineExceeded):
			q.failed, q.err = 0, nil
			// An accept whose deadline had passed before it began, as happens on a busy
			// machine, has not looked at the queue.
			if time.Since(began) < wait/4 {
				time.Sleep(queueGap) // or it is a listener that always says so
			} else {
				q.silent += wait
			}
		case isTemporary(err):
			l.cannotAccept(err)
		default:
			open = false // closed by shut, or broken
		}
	}
	l.Close()
	close(l.ended)
	return nil, net.ErrClosed
}

// waitFor returns how long to wait for the next connection. Zero means that the queue is
// empty, or is left as it is.
func (l *listener) waitFor(now time.Time) time.Duration {
	q := &l.queue
	if l.owner == ownerOther || isClosed(l.closed) {
		return 0
	}
	queued, told := l.waiting()
	if told && queued == 0 {
		q.err = nil // without descriptors, an accept fails before it looks at the queue
	}
	if !now.Before(q.until) {
		q.flooded = q.err == nil && (queued > 0 || !told && q.silent == 0)
		return 0
	}
	if queued > 0 {
		return queueLook
	}
	// While new clients keep coming, somebody's handshake is always under way: then a
	// short gap is the best that one can wait for.
	flood := !l.keptAway && q.accepted > fewQueued
	if told && !flood && !q.untold {
		if wait, ok := l.awaitHandshakes(now); ok {
			return min(wait, q.until.Sub(now))
		}
	}
	want := queueStillLooks * queueLook
	if flood {
		want = queueGap
	}
	return min(queueLook, want-q.silent)
}

// awaitHandshakes is waitFor for an empty queue, where the kernel knows who is on the way
// to it. It returns false where the kernel does not.
func (l *listener) awaitHandshakes(now time.Time) (wait time.Duration, ok bool) {
	q := &l.queue
	if q.handshakes > 0 && now.Before(q.askAt) {
		return q.askAt.Sub(now), true
	}
	n, err := l.kernel.handshakes()
	if err != nil {
		// If descriptors ran out, it may tell later.
		q.untold = !isTemporary(err)
		return 0, false
	}
	q.handshakes = n
	if queued, _ := l.kernel.queued(); queued > 0 {
		return queueLook, true // completed while the kernel was asked
	}
	if n == 0 {
		return 0, true
	}
	q.askEvery = min(max(2*q.askEvery, minAsk), maxAsk)
	q.askAt = time.Now().Add(q.askEvery)
	return q.askEvery, true
}

// cannotAccept is called when an accept has failed in a way that may pass, most likely
// because descriptors ran out. While there are connections, it waits for the descriptors
// that they free when they end.
func (l *listener) cannotAccept(err error) {
	q := &l.queue
	q.failed++
	q.err = err
	if q.failed > 1 {
		l.starve()
	}
	if !l.conns.isEmpty() {
		if until := time.Now().Add(maxQueue); until.After(q.until) {
			q.until = until
		}
	}
	pause(min(time.Duration(q.failed)*queueLook, maxStarvedDelay), l.closed)
}
