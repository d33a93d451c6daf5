package fxshutdown

import (
	"container/heap"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// keeper looks after the connections that retire while the server serves: those that are
// too old, have carried too many requests, or were chosen by Retire. It starts with the
// server if connections have a maximum age or number of requests, otherwise with the
// first Retire, and ends when a stop takes over. An HTTP/1 connection needs no action:
// its next response says close, and if none comes IdleTimeout ends it.
type keeper struct {
	tender
	events *dispatcher

	stop  atomic.Pointer[tender] // of a stop that has begun: its report has what is ended from here on
	quit  chan struct{}          // closed when a stop takes over
	ended chan struct{}          // closed when run has returned

	mu   sync.Mutex          // guards what follows; a leaf
	care map[*conn]*lifetime // those for which something will be due
	due  ageHeap             // the same, the next one first
	over *AgeGraceOver       // not emitted yet

	tellAt moment // when over is to be emitted; only run uses it
}

// tellEvery is the shortest interval at which AgeGraceOver is emitted.
const tellEvery = time.Second

func newKeeper(set *connSet, events *dispatcher, g graces) *keeper {
	k := &keeper{
		events: events,
		quit:   make(chan struct{}),
		ended:  make(chan struct{}),
		care:   make(map[*conn]*lifetime),
	}
	g.serving = true
	k.tender = tender{set: set, graces: g, wake: make(chan struct{}, 1), record: k.recordEnd}
	return k
}

// start makes the keeper look after the connections that retire from here on.
func (k *keeper) start() {
	k.set.watcher.Store(&watcher{
		changed:   k.changed,
		emptied:   func() {},
		cancelled: k.noteCancelled,
		aged:      k.wakeUp,
		gone:      k.forget,
	})
	go k.run()
}

// end ends the keeper, for good.
func (k *keeper) end() {
	close(k.quit)
	<-k.ended
	k.tell()
}

// run is the goroutine of the keeper.
func (k *keeper) run() {
	defer close(k.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := k.set.now()
		k.next.Store(0) // a connection that changes meanwhile wakes us
		next := earliest(k.retireOld(now), k.lookAtDue(now), k.tellOften(now))
		k.next.Store(int64(next))
		if next == 0 {
			timer.Stop()
		} else {
			timer.Reset(next - k.set.now())
		}
		select {
		case <-timer.C:
		case <-k.wake:
		case <-k.quit:
			return
		}
	}
}

// retireOld retires the connections that are too old, and returns when the next one will
// be.
func (k *keeper) retireOld(now moment) (next moment) {
	for {
		c, next := k.set.ages.take(now)
		if c == nil {
			return next
		}
		k.retire(c, forAge)
	}
}

// retire retires a connection while the server serves. It reports whether the connection
// had not retired before. Once a stop has taken over, it does nothing.
func (k *keeper) retire(c *conn, why retireCause) bool {
	if isClosed(k.quit) {
		return false
	}
	c.mu.Lock()
	ok := !c.retired.Load() && c.stage.Load() < stageClosed
	if ok {
		c.retireServingLocked(why)
	}
	c.mu.Unlock()
	if ok {
		k.set.changed(c) // which may be the stop's by now
	}
	return ok
}

// changed is called when a connection that retires has changed.
func (k *keeper) changed(c *conn) {
	if at := k.dueAt(c); at != 0 {
		k.plan(c, at)
		k.wakeBy(at)
	}
}

// plan makes the keeper look at a connection at the given moment, or earlier if that was
// planned: an extra look costs little.
func (k *keeper) plan(c *conn, at moment) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.care[c]
	switch {
	case c.stage.Load() == stageGone: // or about to be forgotten
	case l == nil:
		l = &lifetime{conn: c, ends: at}
		k.care[c] = l
		heap.Push(&k.due, l)
	case at < l.ends:
		l.ends = at
		heap.Fix(&k.due, l.place)
	}
}

// forget forgets a connection that is gone.
func (k *keeper) forget(c *conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l := k.care[c]; l != nil {
		heap.Remove(&k.due, l.place)
		delete(k.care, c)
	}
}

// lookAtDue does what is due, and returns when the next connection is. A connection for
// which nothing will be due is forgotten until it changes.
func (k *keeper) lookAtDue(now moment) (next moment) {
	for _, c := range k.takeDue(now) {
		if at := k.look(c, now); at != 0 {
			k.plan(c, at)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.due) == 0 {
		return 0
	}
	return k.due[0].ends
}

// takeDue returns the connections that are to be looked at, and takes them out.
func (k *keeper) takeDue(now moment) (cs []*conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.due) > 0 && k.due[0].ends <= now {
		c := heap.Pop(&k.due).(*lifetime).conn
		delete(k.care, c)
		cs = append(cs, c)
	}
	return cs
}

// recordEnd notes what it cost to end a connection whose grace was over.
func (k *keeper) recordEnd(res cutResult, reason error) {
	if st := k.stop.Load(); st != nil {
		st.record(res, reason)
		return
	}
	if len(res.aborted) == 0 && res.takeover == nil || errors.Is(reason, ErrDraining) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.overLocked()
	for _, r := range res.aborted {
		e.Aborted++
		e.Requests = keepOldest(e.Requests, r)
	}
	if res.takeover != nil {
		e.HijackedClosed++
		e.Requests = keepOldest(e.Requests, *res.takeover)
	}
}

// noteCancelled notes a request that has ended after the keeper had cancelled it.
func (k *keeper) noteCancelled(r Request, lost bool) {
	if lost {
		k.recordEnd(cutResult{aborted: []Request{r}}, ErrConnectionAgeGrace)
		k.wakeUp()
	}
}

func (k *keeper) overLocked() *AgeGraceOver {
	if k.over == nil {
		k.over = new(AgeGraceOver)
	}
	return k.over
}

// tellOften reports what was cut, but not too often, and returns when it will do so next.
func (k *keeper) tellOften(now moment) (next moment) {
	k.mu.Lock()
	untold := k.over != nil
	k.mu.Unlock()
	switch {
	case !untold:
		return 0
	case now < k.tellAt:
		return k.tellAt
	}
	k.tellAt = now + tellEvery
	k.tell()
	return 0
}

func (k *keeper) tell() {
	k.mu.Lock()
	e := k.over
	k.over = nil
	k.mu.Unlock()
	if e != nil {
		k.events.emit(e)
	}
}
