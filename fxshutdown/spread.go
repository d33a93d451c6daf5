package fxshutdown

import (
	"math/rand/v2"
	"time"
)

// spreadTick is the interval at which connections retire during a spread: those whose
// turn has come since the last one.
const spreadTick = 10 * time.Millisecond

// spread is the part of a stop in which the connections retire one by one. Only the
// goroutine of the stop uses it.
type spread struct {
	wanted time.Duration // DrainSpread, unless it does not apply
	lasts  time.Duration // as much of it as there is time for; 0: all retire at once
	began  moment
	left   []*conn // whose turn is still to come, the next one last
	total  int
}

// planSpread decides how long the spread lasts: at most half of the time of the graceful
// part of the stop.
func (st *stop) planSpread(now moment) {
	if st.trigger != TriggerStop {
		return
	}
	sp := &st.spread
	sp.wanted = st.s.cfg.DrainSpread
	if t := st.s.cfg.DrainTimeout; t > 0 && sp.wanted > 0 {
		st.budget.endBy(now, now+t) // the drain begins with the spread
	}
	sp.lasts = sp.wanted
	if forceAt, _, end := st.budget.moments(); end != 0 {
		sp.lasts = max(min(sp.lasts, (forceAt-now)/2), 0)
	}
}

// begin collects the connections; the set already makes new ones retire at once. The
// order is random: otherwise the connections of one client would be neighbours.
func (sp *spread) begin(conns []*conn, now moment) {
	sp.began, sp.left, sp.total = now, conns, len(conns)
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
}

// over reports whether every connection has retired.
func (sp *spread) over() bool { return len(sp.left) == 0 }

// next retires the connections whose turn has come, and returns when the next one's may
// have come. If the spread has to end earlier than planned, because somebody has joined
// the stop with less time, it goes faster. Turns that a busy machine has missed are made
// up for at twice the pace, not all at once.
func (sp *spread) next(now, until moment) moment {
	lasts := min(sp.lasts, until-sp.began)
	if lasts <= 0 {
		sp.finish()
		return 0
	}
	turnsBy := func(past time.Duration) int {
		return int(float64(sp.total) * float64(min(past, lasts)) / float64(lasts))
	}
	turns := turnsBy(now - sp.began)
	sp.retire(min(turns, sp.total-len(sp.left)+turnsBy(2*spreadTick)+1))
	return now + spreadTick
}

// retire retires connections until so many have had their turn.
func (sp *spread) retire(turns int) {
	for len(sp.left) > sp.total-turns {
		last := len(sp.left) - 1
		sp.left[last].drain()
		sp.left[last] = nil
		sp.left = sp.left[:last]
	}
}

// finish retires all that are left.
func (sp *spread) finish() { sp.retire(sp.total) }
