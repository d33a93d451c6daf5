package fxshutdown

import "time"

// This file decides what is to be done to a retired connection, and when to look at it
// again. Other files do it.

// view is what is known of a connection.
type view struct {
	stage     stage
	http2     bool
	bypassed  bool
	handlers  bool // some are running
	reading   bool // its goroutine is in Read
	writing   bool // a Write is under way
	finishing bool // the end of an HTTP/2 response may still have to be written
	part      bool // of a request, or of a handshake, has arrived
	dropped   bool
	cut       bool
	intr      interruptState
	closing   closing
	goAway    goAway
	wrote     bool   // something was written since GOAWAY was asked for
	sentOn    bool   // its client has sent something since
	heldAt    moment // since when what an HTTP/2 client sends is held back; 0: it is not
	starved   bool   // a response needs what is held back
	hooked    bool   // a user's hook is running
	ask       bool   // only the socket can tell that it has ended
	endsBy    moment // when it is closed, if it was hijacked under EndOnDrain; 0: it was not

	retiredAt moment
	began     moment        // when the oldest running request began, if requests have a grace
	quiet     moment        // since when it is quiet
	waited    time.Duration // how long it was waited for in earlier reads
	asked     moment        // when it was asked to end
	overdue   moment        // when its requests were cancelled for having gone on too long

	clientQuiet moment        // since when its client is quiet, on all its connections
	clientBusy  bool          // requests of its client are running
	clientWait  time.Duration // for how long that counts
}

// viewLocked returns what is known about c, which has retired.
func (c *conn) viewLocked(now moment) view {
	v := view{
		stage:     c.stage.Load(),
		bypassed:  c.bypassed,
		handlers:  c.running != nil,
		reading:   c.reading.Load() != readsNothing,
		writing:   c.writes.underWay() > 0,
		part:      c.part,
		dropped:   c.dropped,
		cut:       c.cut,
		hooked:    c.hooks > 0,
		ask:       c.mustAsk(),
		intr:      c.intr.state,
		closing:   c.closing,
		retiredAt: c.exit.at,
		quiet:     c.quiet,
		waited:    c.exit.waited,
		asked:     c.exit.asked,
		overdue:   c.exit.overdue,
	}
	if c.exit.client != nil {
		cl := c.exit.client
		v.clientQuiet, v.clientBusy, v.clientWait = cl.quietSince(), cl.isBusy(), cl.maxWait()
	}
	if c.set.limits.grace > 0 {
		v.began = c.oldestBeganLocked()
	}
	if c.takeover != nil && c.takeover.ends {
		v.endsBy = max(c.exit.at, c.takeover.start) + maxEndHijacked
	}
	if c.h2 != nil {
		v.http2, v.finishing, v.goAway = true, c.h2.finishesLocked(c), c.h2.goAway
		v.wrote, v.sentOn = c.h2.wrote, c.h2.sentOn
		v.heldAt, v.starved = c.h2.heldAt, c.h2.starvedLocked(c, now)
	}
	return v
}

// action is what is to be done to a connection.
type action uint8

const (
	actNone           action = iota
	actInterrupt             // wake its reader, to drop it unless something came
	actInterruptFinal        // the same, and its time is over
	actGoAway
	actRelease   // read on what an HTTP/2 client has sent
	actHalfClose // end our side
	actCancel    // cancel the contexts of its requests
	actCut
)

// verdict is an action, and the moment to look at the connection again; zero means when
// something happens to it.
type verdict struct {
	do action
	at moment
}

// soonest returns the moment at which something is to be done, or to be looked at.
func (v verdict) soonest(now moment) moment {
	if v.do != actNone {
		return now
	}
	return v.at
}

// graces is how long connections have. Zero means none, except for idle.
type graces struct {
	idle    time.Duration
	hijack  time.Duration // for hijacked connections
	run     time.Duration // for requests; a stop has other means
	serving bool          // there is no stop
}

// reason returns why a connection is ended.
func (g graces) reason(v view) error {
	switch {
	case v.stage == stageHijacked:
		_, reason := g.hijackedUntil(v)
		return reason
	case g.serving:
		return ErrConnectionAgeGrace
	}
	return ErrStopping
}

// decide says what is due for a retired connection. Whatever a client or a user's hook
// does or does not do, it cannot delay the end of a connection without a request for
// longer than the bounds in timing.go.
func (g graces) decide(v view, now moment) verdict {
	switch {
	case v.stage >= stageClosed || v.cut:
		return verdict{}

	case g.serving:
		return g.decideServing(v, now)

	case v.dropped && v.closing != closingStop && !v.bypassed:
		// net/http has been told, and closes it. crypto/tls may take 5 s for that,
		// if the peer does not read.
		return cutBy(v.asked+cutDelay, now)

	case v.stage == stageHijacked:
		return g.decideHijacked(v, now)

	case v.closing == closingHTTP && !v.handlers:
		// Answered. net/http closes it once it has read on, or has told the user's hook.
		if v.writing { // still the response, although reading seemed to have gone on behind it
			return verdict{at: now + recheck}
		}
		return cutBy(closesBy(v.quiet, v.asked, v.reading), now)

	case v.http2 && v.goAway != goAwaySent && (!v.stage.waits() || v.handlers):
		return decideStreams(v, now)

	case !v.stage.waits() || v.handlers:
		return verdict{}

	case v.hooked:
		return recheckUntil(g.waitsUntil(v)+maxServerStall, now)

	case v.starved:
		return verdict{do: actRelease}

	case v.writing && v.finishing:
		return verdict{at: now + recheck} // no event follows

	case v.writing:
		// What is written is a TLS handshake or the answer to a PING. A client that does
		// not read may block that.
		return recheckUntil(g.waitsUntil(v)+cutDelay, now)

	case v.http2 && v.stage == stageIdle:
		return g.decideHTTP2(v, now)

	case !v.reading && !v.bypassed:
		return g.decideStalled(v, now)

	case v.intr == interruptSpent:
		return verdict{do: actCut} // it trickles

	case v.intr.pending():
		if at := v.asked + cutDelay; now < at {
			return verdict{at: at}
		}
		return cutBy(v.asked+maxInterruptWait, now)
	}

	at, end := v.quiet+g.idle, g.waitsUntil(v)-v.waited
	if v.part {
		at += maxTrickle
	}
	due := verdict{actInterrupt, now + cutDelay}
	// Its client may be about to use it in place of one that was told to close.
	// Behind address translation thousands of clients have one address, and are
	// never quiet.
	limit := v.retiredAt + v.clientWait
	if v.clientBusy {
		v.clientQuiet = limit
	}
	ofClient := min(v.clientQuiet, limit) + g.idle
	at, end = max(at, ofClient), max(end, ofClient)
	if at >= end && (v.part || v.waited > 0) {
		at, due.do = end, actInterruptFinal
	}
	if at -= lastRead; now < at {
		return verdict{at: at}
	}
	return due
}

// decideServing is for a connection that has retired while the server serves. One that
// waits for a request is not dropped: the request may be on its way, and has its grace
// from its own beginning. On HTTP/1, its response or IdleTimeout ends the connection; on
// HTTP/2, GOAWAY does.
func (g graces) decideServing(v view, now moment) (due verdict) {
	over := max(v.retiredAt, v.began) + g.run
	switch {
	case v.stage == stageHijacked:
		v.ask = false // the socket is asked only when the connection is due
		return g.decideHijacked(v, now)
	case v.handlers && v.overdue != 0:
		return cutBy(v.overdue+maxForceWindow, now)
	case v.handlers && g.run > 0 && now >= over:
		return verdict{actCancel, now + maxForceWindow}
	case v.http2 && v.hooked:
		due.at = now + recheck
	case v.goAway != goAwayNone:
		// net/http ends it when its streams have ended, and a second after GOAWAY.
		if v.heldAt != 0 {
			due = releaseBy(v.asked+goAwayWait, now)
		}
	case v.http2 && v.stage == stageIdle && v.writing && !v.starved:
		due.at = now + recheck // its client need not read now
	case v.http2 && (v.stage == stageActive || v.stage == stageIdle):
		g.serving = false
		due = g.decide(v, now)
	}
	if v.handlers && g.run > 0 {
		due.at = earliest(due.at, over)
	}
	return due
}

// decideStalled is for a connection that waits while nobody reads: it is not the client
// that is silent, but a goroutine that computes, is starved, or is blocked by a user's
// hook. Or the listener's connection itself reads, for example in RemoteAddr (PROXY
// protocol): a deadline wakes that, and costs the others nothing.
func (g graces) decideStalled(v view, now moment) verdict {
	due := recheckUntil(g.waitsUntil(v)+maxServerStall, now)
	if v.stage == stageAccepted && !v.intr.pending() && due.do == actNone && now >= v.quiet+g.idle+maxTrickle {
		due.do = actInterrupt
	}
	return due
}

// decideHijacked is for a connection that a handler has taken over.
func (g graces) decideHijacked(v view, now moment) verdict {
	var next moment
	if v.ask {
		next = now + takeoverCheck
	}
	switch at, _ := g.hijackedUntil(v); {
	case v.closing == closingStop: // by the stop, or by the keeper before it
		return cutBy(v.asked+cutDelay, now)
	case at == 0:
		return verdict{at: next}
	case now < at:
		return verdict{at: earliest(at, next)}
	}
	return verdict{actHalfClose, now + cutDelay}
}

// hijackedUntil returns when the time of a hijacked connection is over, and why; 0 means
// never.
func (g graces) hijackedUntil(v view) (at moment, reason error) {
	reason = ErrHijackGrace
	if g.serving {
		reason = ErrConnectionAgeGrace
	}
	if g.hijack != 0 {
		at = v.retiredAt + g.hijack
		if g.serving {
			at = max(at, v.began+g.hijack)
		}
	}
	if v.endsBy != 0 && (at == 0 || v.endsBy < at) {
		return v.endsBy, ErrDraining
	}
	return at, reason
}

// waitsUntil returns the latest moment at which a waiting connection is dropped, if its
// client is to blame.
func (g graces) waitsUntil(v view) moment {
	return max(v.quiet, v.retiredAt) + g.idle + maxTrickle
}

// recheckUntil is cutBy for a connection about which there is no event.
func recheckUntil(at, now moment) verdict {
	if now < at {
		return verdict{at: min(now+recheck, at)}
	}
	return verdict{do: actCut}
}

// cutBy cuts when the moment has come.
func cutBy(at, now moment) verdict {
	if now < at {
		return verdict{at: at}
	}
	return verdict{do: actCut}
}
