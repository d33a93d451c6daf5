package fxshutdown

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"time"
)

// limits says when connections retire while the server serves. Zero is never.
type limits struct {
	age      time.Duration
	requests uint64
	grace    time.Duration // how long what runs on one that has retired may go on
}

// needed reports whether connections retire on their own.
func (l limits) needed() bool { return l.age > 0 || l.requests > 0 }

// retireCause is why a connection retires while the server serves.
type retireCause uint8

const (
	forAge retireCause = iota
	forRequests
	chosen // by Retire
	retireCauses
)

// lifetime is the additional state of a connection if connections have a maximum age, or
// if something will be due for it after it has retired.
type lifetime struct {
	conn  *conn
	ends  moment // when it is too old, or to be looked at
	place int    // in the heap; -1: in none
}

// ages has the connections that are not too old yet, the next one first. It is a heap,
// not a queue, because of the jitter.
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

// take removes and returns a connection that is too old. If there is none, it returns
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

// jittered returns d, give or take a tenth, so that connections that were made together
// do not all end together.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
