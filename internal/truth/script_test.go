package truth

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

const ms = time.Millisecond

// idleGrace is that of every server.
const idleGrace = 5 * ms

// A mode is a protocol.
type mode struct {
	name string
	tls  bool
	h2   bool
}

var modes = []mode{{"h1", false, false}, {"https1", true, false}, {"h2", true, true}, {"h2c", false, true}}

// A waiting is what a handler waits for in the middle of its response.
type waiting string

const (
	waitNothing    waiting = "nothing"
	waitTime       waiting = "time"
	waitDraining   waiting = "Draining"
	waitContext    waiting = "context"
	waitLate       waiting = "context and longer"
	waitToTheEnd   waiting = "end of the round"   // deaf to everything
	waitChannel    waiting = "Server.Draining"    // which marks no stream
	hijackedLonger         = 6 * time.Millisecond // what a kept connection may live on
)

// An ending is what a handler does last.
type ending string

const (
	endFull    ending = "full"
	endShort   ending = "short" // of its declared length
	endAbort   ending = "abort"
	endPanic   ending = "panic"
	endHijack  ending = "hijack"
	end503     ending = "503 if cancelled"
	endNothing ending = "nothing" // returns with what it has written so far
)

// Ways to ask for Draining.
const (
	askNot = iota
	askDirect
	askDerived // with a context that has a cancel of its own
	askStale   // with the context of another request
	asks
)

// Who closes a hijacked connection.
const (
	closeInHandler = iota
	closeLater     // by another goroutine, a moment after the handler has returned
	closeOnDrain   // by another goroutine, when the drain begins
	closeByHook    // through the connection that ConnContext saw, when the drain begins
	closeNever     // by its owner
	closings
)

// A request is what a client sends and what its handler does.
type request struct {
	id     int
	after  time.Duration // the client waits before it sends
	head   bool
	upload bool // POST with a body that the client does not send to its end

	declare bool // Content-Length
	first   bool // write and flush a part before waiting
	ask     int
	wait    waiting
	pause   time.Duration // of waitTime and waitLate
	end     ending
	closing int // of endHijack
}

// total is the length of a complete response, part what is written first.
const total, part = 3000, 1000

func (q request) path() string { return fmt.Sprintf("/%d", q.id) }

func (q request) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "/%d after %v:", q.id, q.after)
	for what, is := range map[string]bool{"HEAD": q.head, "upload": q.upload, "length": q.declare, "flush": q.first} {
		if is {
			b.WriteString(" " + what)
		}
	}
	if q.ask != askNot {
		fmt.Fprintf(&b, " ask=%d", q.ask)
	}
	fmt.Fprintf(&b, ", wait for %s", q.wait)
	if q.wait == waitTime || q.wait == waitLate {
		fmt.Fprintf(&b, " %v", q.pause)
	}
	fmt.Fprintf(&b, ", end %s", q.end)
	if q.end == endHijack {
		fmt.Fprintf(&b, " close=%d", q.closing)
	}
	return b.String()
}

// How a stop is forced.
const (
	notForced = iota
	byBudget
	byDrainTimeout
	byClose
	byCancel
	byServerClose // of the http.Server
	forces
)

// A script is a round.
type script struct {
	seed   uint64
	round  int
	mode   mode
	conns  [][]request
	stopAt time.Duration
	force  int
	limit  time.Duration // until the force

	requestGrace time.Duration
	hijackGrace  time.Duration
	hookBlocks   time.Duration // each hook, now and then
}

func (sc *script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s stopAt=%v force=%d limit=%v RequestGrace=%v HijackGrace=%v hooks=%v\n",
		sc.mode.name, sc.stopAt, sc.force, sc.limit, sc.requestGrace, sc.hijackGrace, sc.hookBlocks)
	for i, c := range sc.conns {
		for _, q := range c {
			fmt.Fprintf(&b, "  conn %d: %v\n", i, q)
		}
	}
	return b.String()
}

// newScript draws the script of a round.
func newScript(seed uint64, round int, forced bool) *script {
	r := rand.New(rand.NewPCG(seed, uint64(round)<<1|uint64(oneIf(forced))))
	sc := &script{seed: seed, round: round, mode: modes[r.IntN(len(modes))]}
	sc.stopAt = upTo(r, 15*ms)
	if r.IntN(3) == 0 {
		sc.hookBlocks = upTo(r, 3*ms)
	}
	if forced {
		sc.force = 1 + r.IntN(forces-1)
		sc.limit = 8*ms + upTo(r, 40*ms)
	}
	// A graceful stop needs them to end what would not end.
	if !forced || r.IntN(2) == 0 {
		sc.requestGrace = idleGrace + upTo(r, 15*ms)
		sc.hijackGrace = 1*ms + upTo(r, 2*closeMost) // so long that an earlier close counts
	}
	id := 0
	for range 1 + r.IntN(5) {
		var qs []request
		for range 1 + r.IntN(6) {
			qs = append(qs, drawRequest(r, sc, id))
			id++
		}
		sc.conns = append(sc.conns, qs)
	}
	return sc
}

func drawRequest(r *rand.Rand, sc *script, id int) request {
	q := request{
		id:      id,
		after:   upTo(r, 4*ms),
		declare: r.IntN(2) == 0,
		first:   r.IntN(2) == 0,
		wait:    pick(r, waitNothing, waitNothing, waitTime, waitTime, waitDraining, waitContext, waitLate, waitChannel),
		pause:   upTo(r, 8*ms),
		end:     pick(r, endFull, endFull, endFull, endShort, endAbort, endPanic, end503, endNothing),
	}
	if r.IntN(3) == 0 {
		q.ask = 1 + r.IntN(asks-1)
	}
	switch r.IntN(12) {
	case 0:
		q.head, q.first = true, false // a flushed one is complete while its handler runs
	case 1:
		q.upload = true
	case 2, 3:
		if !sc.mode.h2 {
			q.end, q.first, q.declare, q.closing = endHijack, false, false, r.IntN(closings)
		}
	}
	if sc.force != notForced && r.IntN(4) == 0 {
		q.wait = waitToTheEnd
	}
	if q.end == endShort {
		q.declare = true
	}
	return q
}

func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most))).Truncate(100 * time.Microsecond)
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}
