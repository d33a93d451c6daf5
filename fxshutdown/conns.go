package fxshutdown

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// connSet is the set of tracked connections, and their account.
type connSet struct {
	epoch time.Time    // moments count from here
	given *http.Server // the value of http.ServerContextKey

	// hooked says whether the user's hooks see the connections, useTLS whether the
	// serving server speaks TLS on them. Start writes both before there are connections.
	hooked bool
	useTLS bool

	noGrace bool // there is no IdleGrace: a stop waits for no client

	maxOpen int           // connections in the set; 0: no limit. New writes it
	freed   chan struct{} // receives when one is gone, if there is a limit; for the accepting goroutine

	cancelled atomic.Bool                 // the contexts of all requests have been cancelled
	retired   [retireCauses]atomic.Uint64 // connections that retired while the server served
	watcher   atomic.Pointer[watcher]     // who looks after the connections that retire; nil: nobody yet

	limits  limits    // written by New
	ages    ages      // of the connections that are not too old
	clients clientSet // of the connections that a stop has retired

	mu       sync.Mutex // guards what follows; conn.mu is taken inside it
	list     connList
	retiring moment // since when new connections retire at once; 0: they do not
	spreads  bool   // the others retire one by one, so that each has its own times
	shut     bool   // no connection is accepted any more
	early    int    // connections left of those that were open when all retired
	totals   totals // of the connections that are gone
	dropped  uint64 // of these, those that were dropped
	cut      uint64 // and those that were cut
}

// watcher is the only way by which a connection reaches the code above it. Its functions
// must neither block nor take a lock of the set.
type watcher struct {
	changed   func(*conn)                // a retired connection may be due earlier than was known
	emptied   func()                     // the last connection is gone, or the last of the early ones
	cancelled func(r Request, lost bool) // a request that was cancelled by us has ended
	aged      func()                     // another connection is the next to be too old; may be nil
	gone      func(*conn)                // a retired connection is gone; may be nil
}

// newConnSet returns the set of a server that is about to start. Its epoch is a
// second ago, so that no moment is zero.
func newConnSet(given *http.Server) *connSet {
	return &connSet{epoch: time.Now().Add(-time.Second), given: given, freed: make(chan struct{}, 1)}
}

func (cs *connSet) now() moment { return time.Since(cs.epoch) }

// momentOf returns the moment of a deadline: 0 for none. One that is further ahead than
// maxDuration, such as that of a ReadTimeout of math.MaxInt64, comes then.
func (cs *connSet) momentOf(t time.Time) moment {
	if t.IsZero() {
		return 0
	}
	at := t.Sub(cs.epoch)
	if t == t.Round(0) { // without a monotonic reading, which counts from today's wall clock
		at = cs.now() + min(time.Until(t), maxDuration)
	}
	return min(max(at, longAgo), maxDuration)
}

// timeOf is the reverse of momentOf.
func (cs *connSet) timeOf(at moment) time.Time {
	switch at {
	case 0:
		return time.Time{}
	case longAgo:
		return time.Unix(1, 0)
	}
	return cs.epoch.Add(at)
}

// track takes over what the listener accepted and returns what net/http gets.
func (cs *connSet) track(raw net.Conn) (net.Conn, bool) {
	now := cs.now()
	c := &conn{Conn: raw, set: cs, born: now, quiet: now}
	c.lazy = !cs.hooked && isSocket(raw)
	served := net.Conn(c)
	switch raw := raw.(type) {
	case *tls.Conn:
		c.bypassed = true
		served = raw
	case connectionStater:
		served = &tlsStateConn{c, raw}
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.shut {
		return nil, false
	}
	if cs.retiring != 0 {
		c.drainLocked() // nobody else has it yet
		c.exit.late = true
		if !cs.spreads {
			c.exit.at = cs.retiring
		}
	}
	cs.totals.Accepted++
	cs.list.add(c)
	cs.limitLife(c)
	return served, true
}

// limitLife gives a connection its lifetime, if there is a limit.
func (cs *connSet) limitLife(c *conn) {
	if cs.limits.age == 0 {
		return
	}
	c.life = &lifetime{conn: c, ends: c.born + jittered(cs.limits.age), place: -1}
	if w := cs.watcher.Load(); cs.ages.add(c.life) && w != nil && w.aged != nil {
		w.aged()
	}
}

// remove is called once for a connection, when it and its handlers are gone.
func (cs *connSet) remove(c *conn) {
	cs.mu.Lock()
	cs.list.remove(c)
	cs.totals.Closed++
	c.mu.Lock()
	cs.totals.addLocked(c)
	countEndLocked(c, &cs.dropped, &cs.cut)
	late := c.exit != nil && c.exit.late
	c.mu.Unlock()
	last := cs.list.n == 0
	if cs.retiring != 0 && !late {
		cs.early--
		last = last || cs.early == 0
	}
	cs.mu.Unlock()
	if c.life != nil {
		cs.ages.remove(c.life)
	}
	if cs.maxOpen > 0 {
		select {
		case cs.freed <- struct{}{}:
		default: // it is told already
		}
	}
	w := cs.watcher.Load()
	if w != nil && w.gone != nil && c.retired.Load() {
		w.gone(c)
	}
	if w != nil && last {
		w.emptied()
	}
}

// countEndLocked counts c, which is closed, by what closed it. The caller holds c.mu.
func countEndLocked(c *conn, dropped, cut *uint64) {
	switch {
	case c.dropped:
		*dropped++
	case c.exit != nil && c.exit.cut:
		*cut++
	}
}

// hasRoom reports whether the limit lets one more connection in.
func (cs *connSet) hasRoom() bool {
	if cs.maxOpen == 0 {
		return true
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.list.n < cs.maxOpen
}

// changed tells the watcher that a connection may be due earlier than was known.
func (cs *connSet) changed(c *conn) {
	if w := cs.watcher.Load(); w != nil {
		w.changed(c)
	}
}

// retireAll retires every connection for a stop, including those that are still to come.
func (cs *connSet) retireAll() {
	cs.mu.Lock()
	cs.retiring = cs.now()
	cs.early = cs.list.n
	cs.mu.Unlock()
	for _, c := range cs.snapshot(nil) {
		c.drain()
	}
}

// retireLater makes connections that are still to come retire at once, and returns the
// others, each of which has a turn of its own. Those that retired before, while the
// server served, have none.
func (cs *connSet) retireLater() (turns []*conn) {
	cs.mu.Lock()
	cs.retiring, cs.spreads = cs.now(), true
	cs.early = cs.list.n
	cs.mu.Unlock()
	for _, c := range cs.snapshot(nil) {
		if c.retired.Load() {
			c.drain()
		} else {
			turns = append(turns, c)
		}
	}
	return turns
}

// close lets no further connection in.
func (cs *connSet) close() {
	cs.mu.Lock()
	cs.shut = true
	cs.mu.Unlock()
}

func (cs *connSet) isEmpty() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.list.n == 0
}

// hasEarly reports whether any of the connections that were open when all retired are
// left.
func (cs *connSet) hasEarly() bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.early > 0
}

// snapshot returns the connections, to be looked at without the lock. It uses the space
// of buf.
func (cs *connSet) snapshot(buf []*conn) []*conn {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	buf = buf[:0]
	for c := cs.list.head; c != nil; c = c.next {
		buf = append(buf, c)
	}
	return buf
}

// cancelledEnded tells the watcher that a request whose context was cancelled has ended,
// and whether that cost its client the response.
func (cs *connSet) cancelledEnded(r Request, lost bool) {
	if w := cs.watcher.Load(); w != nil {
		w.cancelled(r, lost)
	}
}

// count returns the public figures and the totals of all connections, open or gone.
func (cs *connSet) count() (Stats, totals) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	t := cs.totals
	st := Stats{IdleClosed: cs.dropped, Cut: cs.cut}
	for c := cs.list.head; c != nil; c = c.next {
		c.mu.Lock()
		c.countOldAnswerLocked()
		t.addLocked(c)
		st.InFlight += c.running.len()
		state := c.stage.Load().connState()
		if c.cut {
			state = http.StateClosed // only its handlers are left
		}
		switch state {
		case http.StateNew:
			st.New++
		case http.StateActive:
			st.Active++
		case http.StateIdle:
			st.Idle++
		case http.StateHijacked:
			st.Hijacked++
		default:
			countEndLocked(c, &st.IdleClosed, &st.Cut)
		}
		c.mu.Unlock()
	}
	st.Accepted = t.Accepted
	st.Closed = t.Accepted - uint64(st.Open())
	st.RetiredByAge = cs.retired[forAge].Load()
	st.RetiredByRequests = cs.retired[forRequests].Load()
	st.Retired = st.RetiredByAge + st.RetiredByRequests + cs.retired[chosen].Load()
	st.Requests, st.Undecided = t.begun(), int(t.Undecided)
	st.Answered, st.Failed, st.Ended = t.Answered, t.Failed, t.Ended
	st.Hijacks, st.Aborted = t.Hijacked, t.Aborted
	return st, t
}

// running describes the requests whose handlers run now.
func (cs *connSet) running(add func(Request)) {
	for _, c := range cs.snapshot(nil) {
		c.mu.Lock()
		for x := c.running; x != nil; x = x.next {
			r := c.describeLocked(x)
			r.Running = true
			add(r)
		}
		c.mu.Unlock()
	}
}
