package fxshutdown

import "time"

// awaitRoom waits while the limit of open connections is reached, until the listener
// begins to close. A client that comes meanwhile waits in the accept queue.
func (l *listener) awaitRoom() {
	for !l.conns.hasRoom() && !isClosed(l.closing) {
		l.tellLimit()
		t := time.NewTimer(limitLook)
		select {
		case <-l.conns.freed:
		case <-l.closing:
		case <-t.C: // a client may have come, for which there is no event
		}
		t.Stop()
	}
}

// awaitTurn is awaitRoom for a queue that is being emptied, and ends with the listener.
// If the kernel says that nobody waits, it waits as long as an accept would.
//
// The wait does not count against the emptying if it is for clients that were in the
// queue at the beginning. Later clients, where they cannot be kept away, have only the
// time that emptying takes otherwise.
func (l *listener) awaitTurn(wait time.Duration) {
	if waiting, told := l.waiting(); told && waiting == 0 {
		pause(wait, l.closed)
		l.queue.silent += wait
		return
	}
	l.starve()
	began := time.Now()
	for !l.conns.hasRoom() && !isClosed(l.closed) {
		select {
		case <-l.conns.freed:
		case <-l.closed:
		}
	}
	if q := &l.queue; l.keptAway || q.accepted < q.owed {
		q.until = q.until.Add(time.Since(began))
	}
}

// starve lets the drain begin: the queue waits for connections to end.
func (l *listener) starve() {
	if !isClosed(l.starved) {
		close(l.starved)
	}
}

// tellLimit reports from time to time that clients wait because of the limit. Where the
// kernel does not say whether any wait, it assumes so.
func (l *listener) tellLimit() {
	now := l.conns.now()
	if l.events.logger == nil || l.limitToldAt != 0 && now < l.limitToldAt+limitPause {
		return
	}
	waiting, told := l.waiting()
	if told && waiting == 0 {
		return
	}
	l.limitToldAt = now
	stats, _ := l.conns.count()
	stats.InQueue = waiting
	l.events.emit(&LimitReached{MaxConnections: l.conns.maxOpen, Stats: stats})
}

// waiting returns how many clients are in the accept queue, if the kernel knows.
func (l *listener) waiting() (n int, told bool) {
	if l.kernel == nil {
		return 0, false
	}
	return l.kernel.queued()
}
