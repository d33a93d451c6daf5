package fxshutdown

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// lifetime is what a connection has besides if connections have a maximum age, or what
// runs on them when they have retired has an end.
type lifetime struct {
	conn   *conn
	ends   moment                  // when it is too old
	place  int                     // in ages; -1: in none
	cancel context.CancelCauseFunc // of the contexts of its requests, if they have an end; guarded by conn.mu
}

// ages has the connections that are not too old yet, the next one first. It is a heap
// and not a queue, because of the jitter.
type ages struct {
	mu   sync.Mutex // guards heap; a leaf
	heap ageHeap
}

// add adds a connection and reports whether it is the first to be too old.
func (a *ages) add(l *lifetime) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	heap.Push(&a.heap, l)
	return l.place == 0
}

// remove removes a connection that is gone.
func (a *ages) remove(l *lifetime) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.place >= 0 {
		heap.Remove(&a.heap, l.place)
	}
}

// take returns a connection that is too old, and takes it out, or, if there is none,
// when there will be one.
func (a *ages) take(now moment) (old *conn, next moment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heap) == 0 {
		return nil, 0
	}
	if first := a.heap[0]; now < first.ends {
		return nil, first.ends
	}
	return heap.Pop(&a.heap).(*lifetime).conn, 0
}

// ageHeap implements heap.Interface.
type ageHeap []*lifetime

func (h ageHeap) Len() int           { return len(h) }
func (h ageHeap) Less(i, j int) bool { return h[i].ends < h[j].ends }

func (h ageHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *ageHeap) Push(x any) {
	l := x.(*lifetime)
	l.place = len(*h)
	*h = append(*h, l)
}

func (h *ageHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	l.place = -1
	return l
}

// cancelOfLocked returns what cancels the contexts of the connection's requests.
func (c *conn) cancelOfLocked() context.CancelCauseFunc {
	if c.life == nil || c.life.cancel == nil {
		return func(error) {}
	}
	return c.life.cancel
}

// jittered returns d, a tenth more or less, so that connections that were made
// together do not all end together.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
