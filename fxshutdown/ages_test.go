package fxshutdown

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Connections become too old in the order of their ends, whatever the order in which they
// came and went. Nothing is kept of those that are gone.
func TestAges(t *testing.T) {
	const n = 1000
	rnd := rand.New(rand.NewPCG(1, 2))
	var a ages
	lives := make([]*lifetime, n)
	earliest := moment(maxDuration)
	for i := range lives {
		lives[i] = &lifetime{conn: new(conn), ends: moment(rnd.IntN(n)) * ms, place: -1}
		lives[i].conn.life = lives[i]
		if first := a.add(lives[i]); first != (lives[i].ends < earliest) {
			t.Fatalf("add() of %v = %v, the earliest of the others is %v", lives[i].ends, first, earliest)
		}
		earliest = min(earliest, lives[i].ends)
	}
	for _, i := range rnd.Perm(n)[:n/2] {
		a.remove(lives[i])
		a.remove(lives[i]) // once is enough
	}
	if len(a.heap) != n/2 {
		t.Fatalf("%d are left of %d, want half", len(a.heap), n)
	}
	if c, next := a.take(0); c != nil && c.life.ends > 0 || c == nil && next == 0 {
		t.Errorf("take() at the beginning = %v, %v, want when to ask again", c, next)
	}
	last := moment(-1)
	for i := range n / 2 {
		c, next := a.take(n * ms)
		if c == nil {
			t.Fatalf("take() = none, next at %v, after %d", next, i)
		}
		if c.life.ends < last {
			t.Fatalf("take() = one that ends at %v after one of %v", c.life.ends, last)
		}
		last = c.life.ends
		a.remove(c.life) // it is gone later
		if len(a.heap) == 0 {
			break
		}
	}
	if c, next := a.take(n * ms); c != nil || next != 0 {
		t.Errorf("take() of none = %v, %v", c, next)
	}
	for i := range cap(a.heap) {
		if a.heap[:cap(a.heap)][i] != nil {
			t.Fatal("a connection that is gone is kept")
		}
	}
}

func TestJittered(t *testing.T) {
	const d = time.Hour
	least, most := d, d
	for range 10000 {
		j := jittered(d)
		least, most = min(least, j), max(most, j)
	}
	if least < d*9/10 || least > d*91/100 || most > d*11/10 || most < d*109/100 {
		t.Errorf("jittered(%v) is between %v and %v, want a tenth to either side", d, least, most)
	}
}
