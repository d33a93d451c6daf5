package fxshutdown

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// stage is what net/http does with a connection.
type stage uint32

const (
	stageAccepted stage = iota // nobody has read from it yet
	stageNew                   // its first request, or its TLS handshake, is being read
	stageRead                  // a request has been read, but is not at its handler yet; not on HTTP/2
	stageActive                // a request is being served; on HTTP/2, there are streams
	stageIdle                  // it waits for the next request
	stageHijacked              // a handler, or the function of a TLSNextProto, has taken it over
	stageClosed                // net/http, or whoever took it over, has closed it; handlers may still run
	stageGone                  // closed or cut, and its last handler has returned: it is out of the set
)

func (s stage) String() string {
	return [...]string{"accepted", "new", "read", "active", "idle", "hijacked", "closed", "gone"}[s]
}

// connState returns net/http's name for the stage.
func (s stage) connState() http.ConnState {
	switch {
	case s <= stageNew:
		return http.StateNew
	case s.active():
		return http.StateActive
	case s == stageIdle:
		return http.StateIdle
	case s == stageHijacked:
		return http.StateHijacked
	}
	return http.StateClosed
}

// active reports whether net/http calls the stage active.
func (s stage) active() bool { return s == stageRead || s == stageActive }

// waits reports whether net/http waits for a request.
func (s stage) waits() bool { return s <= stageNew || s == stageIdle }

// stageValue is a stage that is read without the lock of its connection.
type stageValue struct{ v atomic.Uint32 }

func (s *stageValue) Load() stage { return stage(s.v.Load()) }

// setLocked is called with the lock of the connection held.
func (s *stageValue) setLocked(to stage) { s.v.Store(uint32(to)) }

// writeCount counts writes: in its lower half those under way, in its upper half those
// that have ended, which serves only to tell two counts apart.
type writeCount struct{ v atomic.Uint32 }

func (w *writeCount) begin() (underWay uint16) { return uint16(w.v.Add(1)) }
func (w *writeCount) end() (underWay uint16)   { return uint16(w.v.Add(1<<16 - 1)) }
func (w *writeCount) underWay() uint16         { return uint16(w.v.Load()) }
func (w *writeCount) ended() uint16            { return uint16(w.v.Load() >> 16) }

// reads says what a goroutine is reading.
type reads uint32

const (
	readsNothing reads = iota
	readsAhead         // one byte, as net/http does while a handler runs
	readsMore
)

// readsValue is a reads that other goroutines look at.
type readsValue struct{ v atomic.Uint32 }

func (r *readsValue) Load() reads    { return reads(r.v.Load()) }
func (r *readsValue) Store(to reads) { r.v.Store(uint32(to)) }

func readsOf(size int) reads {
	if size == 1 {
		return readsAhead
	}
	return readsMore
}

// closing says who is ending an open connection.
type closing uint8

const (
	closingNone closing = iota
	closingHTTP         // net/http has closed it, or its side: what it had to write on HTTP/1 is written
	closingStop         // the stop has closed our side, to end it politely
)

// aheadHistory says whether a byte was read before its turn: net/http reads one byte
// ahead while a handler runs. Bit 0 belongs to the request that runs or ran last, bit 1
// to the request before, after which the client may have sent more.
type aheadHistory uint8

func (a *aheadHistory) next() { *a = *a << 1 & 2 }

func (a *aheadHistory) note(early bool) {
	if *a &^= 1; early {
		*a |= 1
	}
}

func (a aheadHistory) any() bool { return a != 0 }

// waitingLocked reports whether nothing would be lost if the connection ended:
// it waits for a request, no handler runs on it and nothing is being written.
// (An HTTP/2 connection is idle for net/http while handlers of streams that were
// reset still run.)
func (c *conn) waitingLocked() bool {
	return c.stage.Load().waits() && c.running == nil && c.writes.underWay() == 0
}

// checkLocked returns an error for a combination of states that is impossible. All of
// them are listed here; tests call it at any time.
func (c *conn) checkLocked() error {
	s := c.stage.Load()
	e := retirement{}
	if c.exit != nil {
		e = *c.exit
	}
	rules := []struct {
		broken bool
		rule   string
	}{
		{s == stageGone && c.running != nil, "a connection that is gone runs no handler"},
		{s == stageAccepted && c.running != nil, "a handler runs only after a read"},
		{c.h2 == nil && c.running != nil && c.running.next != nil && !c.bypassed, "HTTP/1 runs one handler at a time"},
		{c.h2 == nil && c.undecided != nil && c.running != nil, "on HTTP/1 a response is decided before the next request begins"},
		{c.takeover != nil && s.waits(), "a hijacked connection never comes back"},
		{c.takeover != nil && s.active(), "net/http serves no request on a hijacked connection"},
		{c.closing == closingHTTP && c.h2 != nil, "only an HTTP/1 connection is closed by net/http in two steps"},
		{c.closing == closingHTTP && s.waits(), "net/http closes only a connection whose request it has read"},
		{c.closing != closingNone && c.retired.Load() && e.asked == 0, "a retired connection that is closing has been asked to end"},
		{c.closing == closingStop && !c.retired.Load(), "the stop ends only what it has retired"},
		{c.intr.state.pending() && !c.retired.Load(), "only a retired connection is interrupted"},
		{c.intr.state.pending() && s == stageHijacked, "a hijacked connection is not interrupted"},
		{c.cut && !c.retired.Load(), "only a retired connection is cut"},
		{c.dropped && s == stageHijacked, "only a connection that waits for a request is dropped"},
		{c.retired.Load() != (e.at != 0), "exactly the retired connections have a moment at which they retired"},
		{c.h2 != nil && c.h2.goAway != goAwayNone && !c.retired.Load(), "only a retired connection gets GOAWAY"},
	}
	for _, r := range rules {
		if r.broken {
			return fmt.Errorf("%v connection: broken: %s", s, r.rule)
		}
	}
	return nil
}
