package fxshutdown

import (
	"testing"
	"time"
)

// TestSpreadStalled has a machine without time for a while: turns that were missed are
// made up for at twice the pace.
func TestSpreadStalled(t *testing.T) {
	const total, lasts, stall = 1000, time.Second, 300 * ms
	set := newConnSet(nil)
	var conns []*conn
	for range total {
		nc, _ := set.track(nil)
		conns = append(conns, nc.(*conn))
	}
	sp := spread{wanted: lasts, lasts: lasts}
	sp.begin(conns, 0)
	told, last := 0, moment(0)
	for now := moment(0); !sp.over(); now += spreadTick {
		if now == 100*ms {
			now += stall
		}
		sp.next(now, maxDuration)
		got := total - len(sp.left)
		if most := 2*int(total*spreadTick/lasts) + 1; got-told > most {
			t.Errorf("%d were told at %v, want at most %d", got-told, now, most)
		}
		told, last = got, now
	}
	if last < lasts || last > lasts+2*spreadTick {
		t.Errorf("the spread took %v, want %v", last, lasts)
	}
}

// With no time left, all are told at once.
func TestSpreadWithoutTime(t *testing.T) {
	for _, until := range []moment{-1, 0, 500 * ms} {
		set := newConnSet(nil)
		nc, _ := set.track(nil)
		sp := spread{wanted: time.Second, lasts: time.Second}
		sp.begin([]*conn{nc.(*conn)}, 500*ms)
		if sp.next(500*ms, until); !sp.over() {
			t.Errorf("a spread that is to be over at %v is not", until)
		}
	}
}
