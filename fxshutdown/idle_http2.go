package fxshutdown

// What is due for an HTTP/2 connection that has retired.

// decideStreams is for an HTTP/2 connection whose streams run. GOAWAY waits for them, but
// not forever.
func decideStreams(v view, now moment) verdict {
	due, at := actGoAway, max(v.heldAt, v.retiredAt)+maxHold
	switch {
	case v.goAway == goAwayAsked && v.heldAt == 0:
		return verdict{}
	case v.goAway == goAwayAsked: // and cannot be written
		due, at = actRelease, v.asked+goAwayWait
	case v.starved:
		return verdict{do: actRelease}
	}
	if now >= at {
		return verdict{do: due}
	}
	if v.heldAt != 0 {
		at = min(at, now+recheck) // no event tells that a response is starved
	}
	return verdict{at: at}
}

// decideHTTP2 is for an HTTP/2 connection that has no streams. What its client sends
// after GOAWAY is refused, and safe to send elsewhere, so the client need not be quiet
// then.
func (g graces) decideHTTP2(v view, now moment) verdict {
	switch {
	case v.closing == closingStop && v.sentOn: // a reset may destroy GOAWAY
		return cutBy(v.asked+maxLinger, now)
	case v.closing == closingStop:
		return cutBy(v.asked+cutDelay, now)
	case v.goAway == goAwayNone:
		// Its next request may be on its way, and is welcome, unless it is held back. If
		// it is, only the last response must be on its way first.
		at := v.quiet + g.idle
		switch {
		case v.heldAt != 0 && v.finishing:
			at = v.quiet + goAwayGap
		case v.heldAt != 0:
			at = now
		case v.finishing: // then the next write is that of GOAWAY
			at = max(at, v.quiet+schedulingSlack)
		}
		if now < at {
			return verdict{at: at}
		}
		return verdict{actGoAway, now + goAwayMissing}
	}
	wait := goAwayMissing
	switch {
	case v.goAway == goAwaySent:
		wait = goAwayWritten
	case v.wrote:
		wait = goAwayLikely
	}
	at := max(v.asked, v.quiet) + wait
	if v.finishing {
		// net/http calls it idle, and calls the user's hook, before it writes the end of
		// the last response.
		at = max(at, v.quiet+max(g.idle, schedulingSlack))
	}
	if now < at {
		return verdict{at: at}
	}
	return verdict{actHalfClose, now + cutDelay}
}

// releaseBy lets what is held back go on when the moment has come.
func releaseBy(at, now moment) verdict {
	if now < at {
		return verdict{at: at}
	}
	return verdict{do: actRelease}
}
