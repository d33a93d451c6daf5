package fxshutdown

import (
	"sync"
	"time"
)

// budget is the time that a stop has. Contexts and DrainTimeout can only
// shorten it.
//
//	begin ──────────── forceAt ───── cutAt ── end ───── deadline
//	        graceful     │   cancelled  │  cut  │  reserve
type budget struct {
	mu      sync.Mutex // guards what follows; a leaf
	left    time.Duration
	reserve time.Duration
	end     moment // 0: none
	window  time.Duration
}

// limit shortens the budget to the deadline of a context (zero if it has none), less the
// reserve. It reports whether anything changed.
func (b *budget) limit(deadline time.Time, now moment, reserve time.Duration) bool {
	if deadline.IsZero() {
		return false
	}
	left := min(max(time.Until(deadline), 0), maxDuration)
	if reserve == 0 {
		reserve = min(left/10, maxStopReserve)
	}
	reserve = min(max(reserve, 0), left/2)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.endByLocked(now, now+left-reserve) {
		return false
	}
	b.left, b.reserve = left, reserve
	return true
}

// endBy makes the budget end at the given moment, unless it ends earlier.
func (b *budget) endBy(now, end moment) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.endByLocked(now, end)
}

func (b *budget) endByLocked(now, end moment) bool {
	if b.end != 0 && b.end <= end {
		return false
	}
	b.end = max(end, 1)
	b.window = min(max(end-now, 0)/10, maxForceWindow)
	return true
}

// moments returns when the force phase begins, when connections are cut, and when Stop
// returns, whatever is left. All are zero if there is no end.
func (b *budget) moments() (forceAt, cutAt, end moment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end == 0 {
		return 0, 0, 0
	}
	return max(b.end-b.window, 1), max(b.end-b.window/4, 1), b.end
}

// shares returns the time that the context leaves, and its parts for others and for the
// force phase.
func (b *budget) shares() (left, reserve, window time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left, b.reserve, b.window
}
