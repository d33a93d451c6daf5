package fxshutdown

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBudget limits a budget one step after another, and looks at what is left. The
// time is 10 s after the epoch.
func TestBudget(t *testing.T) {
	const (
		now  = moment(10 * time.Second)
		none = time.Duration(-1)
	)
	type step struct {
		left    time.Duration // of a context; none means that it has no deadline
		reserve time.Duration // as in Config
		endBy   moment        // instead, if not zero
	}
	for _, test := range []struct {
		name                string
		steps               []step
		changed             bool // by the last step
		forceAt, cutAt, end moment
		left, reserve       time.Duration
	}{
		{"no deadline", []step{{left: none}}, false, 0, 0, 0, 0, 0},
		{"a tenth is left to others, and a tenth is for the force phase", []step{{left: 10 * time.Second}}, true,
			18500 * ms, 18875 * ms, 19 * 1000 * ms, 10 * time.Second, time.Second},
		{"2 s are the most", []step{{left: 100 * time.Second}}, true,
			107500 * ms, 107875 * ms, 108000 * ms, 100 * time.Second, 2 * time.Second},
		{"a reserve of one's own", []step{{left: 10 * time.Second, reserve: 4 * time.Second}}, true,
			15500 * ms, 15875 * ms, 16000 * ms, 10 * time.Second, 4 * time.Second},
		{"no reserve", []step{{left: 10 * time.Second, reserve: -1}}, true,
			19500 * ms, 19875 * ms, 20000 * ms, 10 * time.Second, 0},
		{"half stays with the drain", []step{{left: 10 * time.Second, reserve: time.Hour}}, true,
			14500 * ms, 14875 * ms, 15000 * ms, 10 * time.Second, 5 * time.Second},
		{"over", []step{{left: -time.Hour}}, true,
			10000 * ms, 10000 * ms, 10000 * ms, 0, 0},
		{"longer is no change", []step{{left: 10 * time.Second}, {left: 20 * time.Second}}, false,
			18500 * ms, 18875 * ms, 19000 * ms, 10 * time.Second, time.Second},
		{"the same is no change", []step{{left: 10 * time.Second}, {left: 10 * time.Second}}, false,
			18500 * ms, 18875 * ms, 19000 * ms, 10 * time.Second, time.Second},
		{"shorter is", []step{{left: 10 * time.Second}, {left: time.Second}}, true,
			10810 * ms, 10877500 * moment(time.Microsecond), 10900 * ms, time.Second, 100 * time.Millisecond},
		{"DrainTimeout is shorter", []step{{left: 10 * time.Second}, {endBy: now + 2000*ms}}, true,
			11800 * ms, 11950 * ms, 12000 * ms, 10 * time.Second, time.Second},
		{"DrainTimeout is longer", []step{{left: 10 * time.Second}, {endBy: now + 20000*ms}}, false,
			18500 * ms, 18875 * ms, 19000 * ms, 10 * time.Second, time.Second},
		{"DrainTimeout alone", []step{{left: none}, {endBy: now + 2000*ms}}, true,
			11800 * ms, 11950 * ms, 12000 * ms, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b budget
				var changed bool
				for _, s := range test.steps {
					switch {
					case s.endBy != 0:
						changed = b.endBy(now, s.endBy)
					case s.left == none:
						changed = b.limit(time.Time{}, now, s.reserve)
					default:
						changed = b.limit(time.Now().Add(s.left), now, s.reserve)
					}
				}
				if changed != test.changed {
					t.Errorf("changed = %v, want %v", changed, test.changed)
				}
				forceAt, cutAt, end := b.moments()
				if forceAt != test.forceAt || cutAt != test.cutAt || end != test.end {
					t.Errorf("moments() = %v, %v, %v, want %v, %v, %v", forceAt, cutAt, end, test.forceAt, test.cutAt, test.end)
				}
				left, reserve, window := b.shares()
				if left != test.left || reserve != test.reserve || window != max(test.end-test.forceAt, 0) {
					t.Errorf("shares() = %v, %v, %v, want %v, %v, %v", left, reserve, window, test.left, test.reserve, test.end-test.forceAt)
				}
			})
		})
	}
}
