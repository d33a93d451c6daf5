package fxshutdown

import (
	"net/http"
	"time"
)

const (
	// dripMost is how much longer than IdleGrace one may be quiet that has sent
	// something, and what a byte now and then can buy it at the most.
	dripMost = 300 * time.Millisecond

	// deafMost is how long a goroutine that was poked may take to wake up, on a
	// machine that has no time for it, before it counts as deaf to deadlines.
	deafMost = time.Second

	// oursMost bounds what is not the client's doing: a goroutine of ours that
	// computes, or a hook of the user's, such as GetCertificate, that blocks it.
	oursMost = 2 * time.Second
)

// lookAt is called when the state of a connection has changed in a way that
// may make it due: run is woken if it would come too late.
func (d *drain) lookAt(c *conn) {
	c.mu.Lock()
	var at moment
	switch {
	case c.state == http.StateHijacked:
		at = d.hijackAt
	case c.ending:
		at = c.endsByLocked()
	case c.state == http.StateIdle && c.h2:
		at = d.s.now() + goAwayLag
	case c.state == http.StateIdle:
		at = d.s.now() + d.s.cfg.IdleGrace - lastLook
	}
	c.mu.Unlock()
	if at == 0 {
		return
	}
	if next := moment(d.next.Load()); next == 0 || at < next {
		d.wakeUp()
	}
}

// sweep does what is due and returns when the next connection is.
func (d *drain) sweep(now moment) (next moment) {
	goAway := false
	for _, c := range d.s.snapshot() {
		c.mu.Lock()
		at, do := d.dueLocked(c, now)
		reason := ErrStopping
		if c.state == http.StateHijacked {
			reason = ErrHijackGrace
		}
		var res cutResult
		switch do {
		case actGoAway:
			goAway = true
		case actHalfClose:
			res.hijack = c.halfCloseLocked(now)
		case actCut:
			res = c.cutLocked()
		}
		c.mu.Unlock()

		if do == actHalfClose {
			go c.CloseWrite() // one that is not a socket may block
		}
		d.settleCut(c, res, reason)
		next = earliest(next, at)
	}
	if goAway {
		d.goAway(now)
	}
	return next
}

type action int

const (
	actNone action = iota
	actGoAway
	actHalfClose
	actCut
)

// dueLocked decides what is to be done to a connection now, and when to look
// again; zero means when something happens to it.
func (d *drain) dueLocked(c *conn, now moment) (moment, action) {
	if c.tail && c.writes.Load() == 0 && now >= c.quiet+settle {
		c.tail = false
	}
	switch {
	case c.closed || c.cut:
		return 0, actNone

	case c.dropped && !c.bypassed:
		// net/http has been told, and closes it. crypto/tls may take 5 s for that,
		// if the peer does not read.
		return cutAt(c.asked+cutAfter, now)

	case c.state == http.StateHijacked:
		switch {
		case d.hijackAt == 0 || now < d.hijackAt:
			return d.hijackAt, actNone
		case c.halfClosed:
			return cutAt(c.asked+cutAfter, now)
		}
		return now + cutAfter, actHalfClose

	case c.ending && c.state == http.StateActive && c.nreqs == 0:
		// Answered, and closed by net/http: when it has read on, or a hook of the
		// user's has heard of it.
		if c.writes.Load() > 0 { // of a response that somebody's reading seemed to follow
			return now + goAwayLead, actNone
		}
		return cutAt(c.endsByLocked(), now)

	case !c.waitsLocked() || c.nreqs > 0:
		return 0, actNone

	case c.writes.Load() > 0 && c.tail:
		// The end of an HTTP/2 response is being written: no event follows.
		return now + goAwayLead, actNone

	case c.writes.Load() > 0:
		// A TLS handshake is, or the answer to a PING. A client that does not read may
		// block that.
		return lookAgain(d.waitsUntil(c)+cutAfter, now)

	case c.h2 && c.state == http.StateIdle:
		return d.http2DueLocked(c, now)

	case !c.reading.Load() && !c.bypassed:
		// Not the client is silent: the goroutine computes, or is starved, or a
		// hook of the user's blocks it. Or the listener's connection reads by
		// itself, in RemoteAddr say (PROXY protocol): a deadline wakes that, and
		// costs the others nothing.
		if !c.hasRead && !c.poked.Load() && c.state == http.StateNew && now >= c.quiet+d.s.cfg.IdleGrace+dripMost {
			c.pokeLocked(now)
		}
		return lookAgain(d.waitsUntil(c)+oursMost, now)
	}

	grace := d.s.cfg.IdleGrace
	at, most := c.quiet+grace, max(c.quiet, d.start)+grace+dripMost-c.waited
	if c.inHand {
		at += dripMost // a part of a header, or a TLS handshake under way
	}
	final := at >= most
	at = min(at, most) - lastLook
	switch {
	case c.final && !c.poked.Load():
		return 0, actCut // it drips
	case c.poked.Load():
		if now < c.asked+cutAfter {
			return c.asked + cutAfter, actNone
		}
		return cutAt(c.asked+deafMost, now)
	case now < at:
		return at, actNone
	}
	c.final = final
	c.pokeLocked(now)
	return now + cutAfter, actNone
}

// http2DueLocked is for an HTTP/2 connection that has no streams. What it sends
// after GOAWAY is refused, and safe to be sent elsewhere.
func (d *drain) http2DueLocked(c *conn, now moment) (moment, action) {
	grace := d.s.cfg.IdleGrace
	switch {
	case c.halfClosed:
		return cutAt(c.asked+cutAfter, now)

	case !c.goneAway && d.goAwayAt != 0:
		return 0, actNone // its turn comes with all others'

	case !c.goneAway:
		// It came up after GOAWAY was sent; its first request is welcome.
		if at := c.quiet + grace; now < at {
			return at, actNone
		}
		return now + goAwayLead, actGoAway
	}
	// It was given time to read GOAWAY and the end of its last response.
	lead := goAwayLead
	if c.wrote {
		lead = goAwayLag
	}
	if at := max(c.asked+lead, c.quiet+max(grace, lead)); now < at {
		return at, actNone
	}
	return now + cutAfter, actHalfClose
}

// endsByLocked returns when a connection that net/http closes is cut: what its client
// still sends is read on, for as long as it goes on sending and not for ever.
func (c *conn) endsByLocked() moment {
	at := c.quiet + oursMost
	if c.reading.Load() {
		at = min(at, c.asked+lingerMost)
	}
	return at
}

// waitsUntil returns when a connection that waits is dropped at the latest, if
// its client is to blame.
func (d *drain) waitsUntil(c *conn) moment {
	return max(c.quiet, d.start) + d.s.cfg.IdleGrace + dripMost
}

// lookAgain is cutAt for a connection that no event will tell of.
func lookAgain(at, now moment) (moment, action) {
	if now < at {
		return min(now+goAwayLead, at), actNone
	}
	return 0, actCut
}

// cutAt cuts when the moment has come.
func cutAt(at, now moment) (moment, action) {
	if now < at {
		return at, actNone
	}
	return 0, actCut
}

// halfCloseLocked notes that our side is being closed. For a hijacked connection
// this is the end that is reported.
func (c *conn) halfCloseLocked(now moment) *Request {
	c.halfClosed, c.asked = true, now
	if c.state != http.StateHijacked {
		c.dropped = true
		return nil
	}
	return c.hijackEndLocked()
}
