package fxshutdown_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// FuzzConnection plays what the bytes say, an event two of them, against a
// server in a bubble and against a model of it: whatever happens in whatever
// order, the account agrees with the model after every event, what arrives in
// time is answered, and the stop ends when the model says.
func FuzzConnection(f *testing.F) {
	for _, script := range fuzzScripts {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 2+2*64 {
			return
		}
		synctest.Test(t, func(t *testing.T) { play(t, script) })
	})
}

// TestConnectionModel plays random scripts, which are longer than those that the
// fuzzer comes to by itself.
func TestConnectionModel(t *testing.T) {
	for seed := range uint64(*modelScripts) {
		random := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 2+2*random.IntN(65))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		synctest.Test(t, func(t *testing.T) {
			play(t, script)
			if t.Failed() {
				t.Logf("script %d: %x", seed, script)
			}
		})
	}
}

var modelScripts = flag.Int("scripts", 500, "how many scripts TestConnectionModel plays")

// The events. The first byte of two says which, the second is its argument.
const (
	evDial = iota
	evPart
	evRest
	evWhole
	evReturn
	evPanic
	evHijack
	evCloseHijacked
	evFlush
	evAskDraining
	evClientCloses
	evSleep
	evStop
	evForce
	evShutdown
	evSleepLong
	events16
)

var fuzzScripts = [][]byte{
	{},
	{0, 0, evDial, 0, evStop, 4},
	{0, 0, evDial, 0, evWhole, 0, evReturn, 0, evStop, 5},
	{0, 0, evDial, 0, evWhole, 0, evStop, 5, evSleep, 4, evReturn, 0},
	{0, 0, evDial, 0, evWhole, 0, evFlush, 0, evStop, 5, evReturn, 0, evWhole, 0, evSleep, 3, evReturn, 0},
	{0, 0, evDial, 0, evPart, 0, evStop, 5, evSleep, 4, evPart, 0, evSleep, 4, evRest, 0, evReturn, 0},
	{0, 0, evDial, 0, evDial, 1, evWhole, 0, evHijack, 0, evWhole, 1, evStop, 3},
	{0, 0, evDial, 0, evWhole, 4, evDial, 1, evWhole, 9, evStop, 3, evSleep, 4, evForce, 0},
	{0, 0, evDial, 0, evWhole, 0, evFlush, 0, evAskDraining, 0, evStop, 2},
	{3, 7, evDial, 0, evWhole, 0, evHijack, 0, evStop, 5, evSleep, 6, evCloseHijacked, 0, evReturn, 0},
	{3, 7, evDial, 0, evWhole, 4, evWhole, 0, evClientCloses, 0, evStop, 0},
	{0, 3, evDial, 0, evWhole, 0, evShutdown, 0, evSleep, 2, evPanic, 0, evDial, 0},
	{5, 1, evDial, 0, evStop, 6, evSleep, 4, evDial, 1, evWhole, 1, evForce, 2},
}

const (
	// What the engine promises about silence in part: see dripMost and cutAfter.
	dripMost = 300 * ms
	cutAfter = 100 * ms

	// queueStill is how long the accept queue of a pipe must be quiet.
	queueStill = 5 * ms

	// settleMost is how long a stop by force waits for handlers.
	settleMost = 50 * ms
	lateMost   = 5 * ms
)

// A simConn is a connection: the client's end, and the model of the server's.
type simConn struct {
	client net.Conn

	// What the client saw.
	mu        sync.Mutex // guards the fields below
	responses int
	endedAt   time.Time

	// The model.
	state      http.ConnState
	kinds      string // of the whole requests that were sent and not begun, a letter each
	part       bool   // of a request's header is in the pipe behind them
	pipelined  bool   // it sent while a handler ran: the server may take it that there is more
	gone       bool   // the client has closed
	waitsSince time.Time
	quiet      time.Time // when the last byte came, or waiting began
	replies    int       // that the client must have got
	call       *call     // the handler that runs, or the one that hijacked
	hijackCut  time.Time // when HijackGrace ends it
	reported   bool      // as cut
}

// A call is a run of the handler, and the request's place in the model.
type call struct {
	conn     *simConn
	kind     byte // 's' waits for commands only, 'c' for its context too, 'd' for Draining too
	commands chan int
	hijacked net.Conn

	running   bool
	early     bool // bytes came while it ran: net/http does not notice any more that the client closes
	committed bool // before the drain
	flushed   bool
	asked     bool
	cancelled bool
	closed    bool // what it hijacked
}

// A sim is a server and its model.
type sim struct {
	t      *testing.T
	cfg    fxshutdown.Config
	http   *http.Server
	server *fxshutdown.Server
	ln     *pipeListener
	others sync.WaitGroup // those who stop the server

	conns []*simConn

	mu    sync.Mutex // guards the field below
	calls map[*simConn][]*call

	// The model.
	begun, failed, aborted int
	atStop                 struct{ begun, undecided int }
	answered               int // since the stop began, as are these
	failedSince, hijacks   int
	cancelledCalls         int
	abortedSince, streams  int
	dropped, cut           int
	either                 int // requests that ended by themselves while they were cut
	unclear                bool
	lastDial               time.Time
	lastGone               time.Time

	trigger     string
	stopAt      time.Time
	drainAt     time.Time // zero: no stop
	end         time.Time // zero: none
	window      time.Duration
	draining    bool
	forceBegan  time.Time
	cutBy       time.Time // the cut; zero until the force begins
	contextEnds time.Time // the first of those of Stop
	forcedAt    time.Time // by somebody
	cutAtOnce   bool      // by Close, or a cancelled context
	cancelledAt time.Time
	cutTime     time.Time
	reason      error

	cancel    context.CancelFunc // of the Stop that began the stop
	stopped   chan struct{}
	stoppedAt time.Time
	stopErr   error
}

// play runs a script.
func play(t *testing.T, script []byte) {
	s := &sim{t: t, ln: newPipeListener(), calls: map[*simConn][]*call{}, stopped: make(chan struct{})}
	option := func(n int) int {
		if len(script) == 0 {
			return 0
		}
		v := int(script[0]) % n
		script[0] /= byte(n)
		return v
	}
	script = append([]byte(nil), script...)
	s.cfg.Listener = s.ln
	s.cfg.IdleGrace = []time.Duration{0, -1, 10 * ms}[option(3)]
	s.cfg.ShutdownDelay = []time.Duration{0, 40 * ms}[option(2)]
	s.cfg.StopReserve = []time.Duration{0, -1, time.Hour}[option(3)]
	script = script[min(1, len(script)):]
	s.cfg.RequestGrace = []time.Duration{0, 300 * ms}[option(2)]
	s.cfg.HijackGrace = []time.Duration{0, 120 * ms}[option(2)]
	s.cfg.DrainTimeout = []time.Duration{0, 800 * ms}[option(2)]
	script = script[min(1, len(script)):]

	s.http = &http.Server{Handler: s}
	var err error
	if s.server, err = fxshutdown.New(s.http, s.cfg); err != nil {
		t.Fatalf("New() = %v", err)
	}
	time.Sleep(ms) // The engine's zero is not a moment.
	if err := s.server.Start(t.Context()); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	s.check("the start")
	for ; len(script) >= 2 && !isClosed(s.stopped) && !t.Failed(); script = script[2:] {
		s.event(int(script[0])%events16, int(script[1]))
	}
	s.finish()
}

func (s *sim) event(ev, arg int) {
	name := fmt.Sprintf("event %d(%d)", ev, arg)
	if ev == evDial {
		s.dial()
		s.check(name)
		return
	}
	var c *simConn
	if len(s.conns) > 0 {
		c = s.conns[arg%4%len(s.conns)]
	}
	switch ev {
	case evPart, evRest, evWhole:
		if c != nil {
			s.send(c, ev, arg)
		}
	case evReturn, evPanic, evHijack, evFlush, evAskDraining:
		if c != nil && c.call != nil && c.call.running {
			s.command(c, ev)
		}
	case evCloseHijacked:
		if c != nil && c.state == http.StateHijacked {
			s.closeHijacked(c)
		}
	case evClientCloses:
		if c != nil && !c.gone {
			s.clientCloses(c)
		}
	case evSleep:
		s.sleep([]time.Duration{0, ms / 2, ms, 4 * ms, 10 * ms, 99 * ms, 130 * ms, 249 * ms}[arg%8])
	case evSleepLong:
		s.sleep([]time.Duration{200 * ms, 250 * ms, 251 * ms, 550 * ms, time.Second, time.Hour}[arg%6])
	case evStop:
		budget := []time.Duration{0, ms, 20 * ms, 300 * ms, 900 * ms, 5 * time.Second, -1}[arg%7]
		s.stop(budget)
	case evForce:
		s.force(arg)
	case evShutdown:
		s.beginStop("http.Server", -1)
		s.others.Go(func() { s.http.Shutdown(context.Background()) })
	}
	s.act()
	s.check(name)
}

// ServeHTTP is the handler: it does what it is told.
func (s *sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, kind, _ := strings.Cut(r.URL.Path[1:], "/")
	n, err := strconv.Atoi(id)
	if err != nil {
		panic(err)
	}
	x := &call{conn: s.conns[n], kind: kind[0], commands: make(chan int)}
	s.mu.Lock()
	s.calls[x.conn] = append(s.calls[x.conn], x)
	s.mu.Unlock()
	rc := http.NewResponseController(w)
	var cancelled, draining <-chan struct{}
	switch x.kind {
	case 'c':
		cancelled = r.Context().Done()
	case 'd':
		draining = fxshutdown.Draining(r.Context())
	}
	for {
		select {
		case <-cancelled:
			return
		case <-draining:
			return
		case ev := <-x.commands:
			switch ev {
			case evReturn:
				return
			case evPanic:
				panic(http.ErrAbortHandler)
			case evFlush:
				if x.hijacked != nil {
					continue
				}
				io.WriteString(w, "part")
				rc.Flush()
			case evAskDraining:
				fxshutdown.Draining(r.Context())
			case evHijack:
				conn, _, err := rc.Hijack()
				if err != nil {
					s.t.Errorf("Hijack() = %v", err)
					return
				}
				x.hijacked, cancelled, draining = conn, nil, nil
			}
		}
	}
}

func (s *sim) dial() {
	if len(s.conns) == 4 {
		return
	}
	client, err := s.ln.dial()
	open := s.drainAt.IsZero() || time.Now().Before(s.listenerUntil())
	if (err == nil) != open {
		s.t.Errorf("dial: %v, want the listener open: %v", err, open)
	}
	if err != nil {
		return
	}
	now := time.Now()
	c := &simConn{client: client, state: http.StateNew, waitsSince: now, quiet: now}
	s.conns = append(s.conns, c)
	s.lastDial = now
	go c.read()
}

// read is the client: it reads responses until there are no more.
func (c *simConn) read() {
	br := bufio.NewReader(c.client)
	for {
		resp, err := http.ReadResponse(br, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		c.mu.Lock()
		if err != nil {
			c.endedAt = time.Now()
			c.mu.Unlock()
			return
		}
		c.responses++
		c.mu.Unlock()
	}
}

// ended returns when the client saw the end of the connection.
func (c *simConn) ended() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endedAt
}

func (s *sim) send(c *simConn, ev, arg int) {
	if c.gone || c.state == http.StateClosed || len(c.kinds) == 3 {
		return
	}
	id := 0
	for s.conns[id] != c {
		id++
	}
	kind := "scd"[arg/4%3]
	text := ""
	switch {
	case ev == evPart && !c.part:
		text = fmt.Sprintf("GET /%d/s HTTP/1.1\r\nHost: localhost\r\n", id)
		c.part = true
	case ev == evPart:
		text = "X: y\r\n"
	case c.part: // both others complete it
		text, kind = "\r\n", 's'
	case ev == evRest:
		return
	default:
		text = fmt.Sprintf("GET /%d/%c HTTP/1.1\r\nHost: localhost\r\n\r\n", id, kind)
	}
	if _, err := io.WriteString(c.client, text); err != nil {
		s.t.Errorf("send on a connection that is %v: %v", c.state, err)
	}
	if c.state == http.StateHijacked {
		return
	}
	if strings.HasSuffix(text, "\r\n\r\n") || text == "\r\n" {
		c.kinds += string(kind)
		c.part = false
	}
	if c.waits() {
		c.quiet = time.Now()
	} else {
		c.call.early = true
		c.pipelined = true
	}
	s.settle(c)
}

func (c *simConn) waits() bool { return c.state == http.StateNew || c.state == http.StateIdle }

// settle begins the requests that a connection has in hand, and ends those
// that end by themselves.
func (s *sim) settle(c *simConn) {
	for {
		switch {
		case c.waits() && c.kinds != "":
			c.call = &call{conn: c, kind: c.kinds[0], running: true, cancelled: !s.cancelledAt.IsZero()}
			c.kinds = c.kinds[1:]
			c.call.asked = c.call.kind == 'd'
			c.state = http.StateActive
			s.begun++
		case c.state == http.StateActive && (c.call.kind == 'd' && s.isDraining() || c.call.kind == 'c' && c.call.cancelled):
			s.returned(c, true)
		default:
			return
		}
	}
}

func (s *sim) isDraining() bool { return !s.drainAt.IsZero() && !time.Now().Before(s.drainAt) }

// returned ends the request of an HTTP connection.
func (s *sim) returned(c *simConn, returned bool) {
	x := c.call
	x.running = false
	c.call = nil
	switch {
	case returned:
		s.answered++
		if !c.gone {
			c.replies++
		}
	default:
		s.failed++
		s.failedSince++
	}
	if x.cancelled {
		s.cancelledCalls++
	}
	if !returned || c.gone || s.isDraining() && !x.committed {
		s.close(c)
		return
	}
	c.state, c.waitsSince, c.quiet = http.StateIdle, time.Now(), time.Now()
}

func (s *sim) close(c *simConn) {
	c.state = http.StateClosed
	s.lastGone = time.Now()
}

func (s *sim) command(c *simConn, ev int) {
	x, seen := c.call, s.lastCall(c)
	if seen == nil {
		s.t.Fatal("a handler of the model's does not run")
	}
	if ev == evHijack && c.state != http.StateActive {
		return
	}
	seen.commands <- ev
	synctest.Wait()
	switch ev {
	case evFlush:
		if c.state == http.StateActive {
			x.flushed = true
			x.committed = x.committed || !s.isDraining()
			if c.gone && x.kind == 'c' {
				s.returned(c, true) // net/http cancels the context when a write fails
			}
		}
	case evAskDraining:
		x.asked = true
	case evHijack:
		c.state = http.StateHijacked
		s.hijacks++
		if at := s.hijackAt(); !at.IsZero() && !time.Now().Before(at) && s.cutBy.IsZero() {
			s.tellHijacked(c)
		}
	default:
		if c.state != http.StateActive { // hijacked, or cut
			x.running = false
			if c.state == http.StateClosed {
				s.lastGone = time.Now()
			}
			return
		}
		s.returned(c, ev == evReturn)
		s.settle(c)
	}
}

// lastCall returns what runs on c.
func (s *sim) lastCall(c *simConn) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls[c]
	if len(calls) == 0 {
		return nil
	}
	return calls[len(calls)-1]
}

func (s *sim) closeHijacked(c *simConn) {
	s.lastCall(c).hijacked.Close()
	c.call.closed = true
	s.close(c)
}

func (s *sim) clientCloses(c *simConn) {
	c.client.Close()
	c.gone = true
	switch {
	case c.waits():
		s.close(c)
	case c.state == http.StateActive && c.call.kind == 'c' && !c.call.early:
		s.returned(c, true) // net/http cancels the context
	}
}

// stop calls Stop: it begins the stop, or joins it.
func (s *sim) stop(budget time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	if budget >= 0 {
		ctx, cancel = context.WithTimeout(context.Background(), budget)
	}
	if s.beginStop("stop", budget) {
		s.cancel = cancel
	}
	s.others.Go(func() {
		defer cancel()
		s.server.Stop(ctx)
	})
	if budget == 0 {
		s.forceNow(fxshutdown.ErrBudget)
	}
}

// beginStop is the model of a stop's beginning. A negative budget has no end.
func (s *sim) beginStop(trigger string, budget time.Duration) (begins bool) {
	now := time.Now()
	begins = s.stopAt.IsZero()
	shortened := false
	if begins {
		s.stopAt, s.trigger = now, trigger
		s.begins()
	}
	if budget >= 0 {
		reserve := cmp.Or(s.cfg.StopReserve, min(budget/10, 2*time.Second))
		reserve = min(max(reserve, 0), budget/2)
		shortened = s.endBy(now.Add(budget - reserve))
		s.contextEnds = earlierSet(s.contextEnds, now.Add(budget))
	}
	room := func(d time.Duration) bool { return s.end.IsZero() || !now.Add(d+2*s.grace()).After(s.forceAt()) }
	switch {
	case begins && (trigger != "stop" || len(s.conns) == 0 || !room(s.cfg.ShutdownDelay)):
		s.drainAt = now
	case begins:
		s.drainAt = now.Add(s.cfg.ShutdownDelay)
	case shortened && now.Before(s.drainAt) && !room(s.drainAt.Sub(now)):
		s.drainAt = now
	}
	if !s.contextEnds.IsZero() {
		s.drainAt = earlier(s.drainAt, s.contextEnds)
	}
	return begins
}

// begins notes what a stop finds.
func (s *sim) begins() {
	s.atStop.begun = s.begun
	for _, c := range s.conns {
		if c.state == http.StateActive {
			s.atStop.undecided++
		}
	}
	s.answered, s.failedSince, s.hijacks, s.lastGone = 0, 0, 0, time.Time{}
	s.others.Go(func() {
		<-s.server.Done()
		s.stoppedAt, s.stopErr = time.Now(), s.server.Err()
		close(s.stopped)
	})
}

func (s *sim) endBy(end time.Time) (shortened bool) {
	shortened = s.end.IsZero() || end.Before(s.end)
	if shortened {
		s.end, s.window = end, min(max(time.Until(end), 0)/10, 500*ms)
		if !s.cutBy.IsZero() {
			s.cutBy = s.cutAt()
		}
	}
	return shortened
}

func (s *sim) forceAt() time.Time { return s.end.Add(-s.window) }
func (s *sim) cutAt() time.Time   { return s.end.Add(-s.window / 4) }

func (s *sim) grace() time.Duration {
	return max(cmp.Or(s.cfg.IdleGrace, fxshutdown.DefaultIdleGrace), 0)
}

// listenerUntil returns when the listener is closed.
func (s *sim) listenerUntil() time.Time {
	until := s.drainAt.Add(queueStill)
	if at := s.lastDial.Add(queueStill); at.After(until) {
		until = at
	}
	if !s.end.IsZero() {
		until = earlier(until, later(s.forceAt(), s.drainAt))
	}
	if !s.contextEnds.IsZero() {
		until = earlier(until, later(s.contextEnds, s.drainAt))
	}
	if !s.forcedAt.IsZero() {
		until = earlier(until, later(s.forcedAt, s.drainAt))
	}
	return until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *sim) hijackAt() time.Time {
	if s.cfg.HijackGrace <= 0 || s.drainAt.IsZero() {
		return time.Time{}
	}
	return later(s.drainAt.Add(s.cfg.HijackGrace), s.listenerUntil())
}

func (s *sim) tellHijacked(c *simConn) {
	if !c.reported {
		c.reported = true
		c.hijackCut = time.Now().Add(cutAfter)
		s.cut++
	}
}

func (s *sim) force(arg int) {
	switch {
	case arg%3 == 1 && s.cancel != nil:
		s.forceNow(fxshutdown.ErrForced)
		s.cancel()
	case arg%3 == 2:
		s.beginStop("http.Server", -1)
		s.forceNow(fxshutdown.ErrForced)
		s.others.Go(func() { s.http.Close() })
	default:
		s.beginStop("close", -1)
		s.forceNow(fxshutdown.ErrForced)
		s.others.Go(func() { s.server.Close() })
	}
}

// forceNow is the model of a force by somebody, or of a Stop that had no time.
func (s *sim) forceNow(reason error) {
	if s.reason != nil && reason == fxshutdown.ErrBudget {
		return // too late to be heard
	}
	if reason == fxshutdown.ErrForced && s.cutTime.IsZero() {
		s.cutAtOnce = true
	}
	now := time.Now()
	s.drainAt = earlier(s.drainAt, now)
	s.forcedAt = earlierSet(s.forcedAt, now)
	if s.reason == nil {
		s.reason = reason
	}
}

// cancelAll is the model of cancelled contexts.
func (s *sim) cancelAll() {
	if !s.cancelledAt.IsZero() {
		return
	}
	s.cancelledAt = time.Now()
	for _, c := range s.conns {
		if c.state == http.StateActive {
			c.call.cancelled = true
			s.settle(c)
		}
	}
}

// cutAll is the model of the cut.
func (s *sim) cutAll() {
	if !s.cutTime.IsZero() {
		return
	}
	now := time.Now()
	s.cutTime = now
	s.cancelledAt = earlierSet(s.cancelledAt, now)
	for _, c := range s.conns {
		switch {
		case c.waits():
			s.dropped++
			s.close(c)
		case c.state == http.StateHijacked || c.call != nil && c.call.closed && c.call.running:
			// One whose handler has closed it and still runs is named as well.
			if !c.reported {
				c.reported = true
				s.cut++
			}
			s.close(c)
		case c.state == http.StateActive && (c.call.kind == 'c' && !c.call.cancelled || c.call.kind == 'd' && s.drainAt.Equal(now)):
			// The handler returns while it is cut.
			c.call.running = false
			s.either++
			// Before what was pipelined, or after.
			s.unclear = s.unclear || c.call.committed && c.kinds != ""
			s.close(c)
		case c.state == http.StateActive:
			s.aborted++
			s.abortedSince++
			if c.call.flushed && c.call.asked {
				s.streams++
			}
			s.close(c)
		}
	}
}

func earlierSet(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return earlier(a, b)
}

// due returns when the model does something by itself next; zero: never.
func (s *sim) due() time.Time {
	now := time.Now()
	var next time.Time
	add := func(at time.Time) {
		if at.After(now) {
			next = earlierSet(next, at)
		}
	}
	if s.drainAt.IsZero() {
		return next
	}
	add(s.drainAt)
	add(s.listenerUntil())
	if s.cfg.RequestGrace > 0 {
		add(later(s.drainAt.Add(s.cfg.RequestGrace), s.listenerUntil()))
	}
	if at := s.hijackAt(); !at.IsZero() {
		add(at)
	}
	for _, c := range s.conns {
		if !c.hijackCut.IsZero() {
			add(c.hijackCut)
		}
	}
	if !s.end.IsZero() {
		add(s.forceAt())
		add(s.cutAt())
		add(s.cutBy)
	}
	return next
}

// sleep passes time, with a halt wherever the model does something.
func (s *sim) sleep(d time.Duration) {
	until := time.Now().Add(d)
	for !s.t.Failed() && !isClosed(s.stopped) {
		at := earlierSet(s.due(), until)
		time.Sleep(time.Until(at))
		synctest.Wait()
		s.observe()
		s.act()
		s.check("sleep")
		if !at.Before(until) {
			return
		}
	}
}

// act does what the model does at this time.
func (s *sim) act() {
	now := time.Now()
	if s.drainAt.IsZero() || now.Before(s.drainAt) || !s.cutTime.IsZero() {
		return
	}
	if !s.draining {
		s.draining = true
		if s.cfg.DrainTimeout > 0 {
			s.endBy(s.drainAt.Add(s.cfg.DrainTimeout))
		}
	}
	listenerClosed := !now.Before(s.listenerUntil())
	budgetOver := !s.cutBy.IsZero() || listenerClosed && !s.end.IsZero() && !now.Before(s.forceAt())
	if budgetOver && s.reason == nil {
		s.reason = fxshutdown.ErrBudget
	}
	if budgetOver && s.cutBy.IsZero() {
		s.forceBegan, s.cutBy = now, s.cutAt()
	}
	if !s.forcedAt.IsZero() || budgetOver && !now.Before(s.cutBy) {
		s.cutAll()
		return
	}
	for _, c := range s.conns {
		s.settle(c)
	}
	if budgetOver {
		s.cancelAll()
		return
	}
	if s.cfg.RequestGrace > 0 && !now.Before(later(s.drainAt.Add(s.cfg.RequestGrace), s.listenerUntil())) {
		s.cancelAll()
	}
	if at := s.hijackAt(); !at.IsZero() && !now.Before(at) {
		for _, c := range s.conns {
			if c.state == http.StateHijacked {
				s.tellHijacked(c)
			}
		}
	}
	for _, c := range s.conns {
		if c.state == http.StateHijacked && !c.hijackCut.IsZero() && !now.Before(c.hijackCut) {
			s.close(c)
			c.call.closed = true
		}
	}
}

// observe takes over which connections were dropped: when that may be is
// checked, not modelled.
func (s *sim) observe() {
	for i, c := range s.conns {
		at := c.ended()
		if !c.waits() || at.IsZero() {
			continue
		}
		first, last := s.dropTimes(c)
		if s.drainAt.IsZero() || at.Before(s.drainAt) || at.Before(first) || at.After(last) {
			s.t.Errorf("connection %d was dropped %v after the drain began, want %v to %v", i, at.Sub(s.drainAt), first.Sub(s.drainAt), last.Sub(s.drainAt))
		}
		s.dropped++
		c.state = http.StateClosed
		s.lastGone = later(s.lastGone, at)
	}
}

// dropTimes returns when a connection that waits may be dropped.
func (s *sim) dropTimes(c *simConn) (first, last time.Time) {
	first = c.quiet.Add(s.grace())
	last = later(first, s.listenerUntil()).Add(ms)
	if c.part {
		most := later(c.waitsSince, s.drainAt).Add(s.grace() + dripMost)
		if !c.pipelined { // what net/http has read ahead is not known to be a part
			first = first.Add(dripMost)
		}
		first = earlier(first, most)
		last = later(later(most, s.listenerUntil()), last).Add(cutAfter + 2*ms)
	} else if c.pipelined {
		last = last.Add(dripMost)
	}
	if !s.end.IsZero() {
		forceAt, cutAt := s.forceAt(), s.cutAt()
		if !s.cutBy.IsZero() {
			forceAt, cutAt = s.forceBegan, s.cutBy
		}
		first = earlier(first, cutAt)
		if last.After(forceAt) {
			last = later(cutAt, s.listenerUntil())
		}
	}
	return first, last
}

// check compares the server with the model.
func (s *sim) check(after string) {
	s.t.Helper()
	synctest.Wait()
	s.observe()
	now := time.Now()
	want := fxshutdown.Stats{Accepted: uint64(len(s.conns)), Requests: uint64(s.begun), Failed: uint64(s.failed), Aborted: uint64(s.aborted)}
	for i, c := range s.conns {
		switch c.state {
		case http.StateNew:
			want.New++
		case http.StateActive:
			want.Active++
		case http.StateIdle:
			want.Idle++
		case http.StateHijacked:
			want.Hijacked++
		}
		if c.call != nil && c.call.running {
			want.InFlight++
		}
		if _, last := s.dropTimes(c); c.waits() && s.isDraining() && now.After(last) {
			s.t.Errorf("after %s: connection %d is open %v after it was to be dropped", after, i, now.Sub(last))
		}
		c.mu.Lock()
		if c.responses != c.replies && !c.gone && s.cutTime.IsZero() {
			s.t.Errorf("after %s: connection %d has got %d responses, want %d", after, i, c.responses, c.replies)
		}
		c.mu.Unlock()
	}
	want.Closed = want.Accepted - uint64(want.Open())
	got := s.server.Stats()
	if s.cutTime.IsZero() && got != want {
		s.t.Errorf("after %s: Stats() = %+v, want %+v", after, got, want)
	}
	if got.Open() != int(got.Accepted-got.Closed) || got.New < 0 || got.Active < 0 || got.Idle < 0 || got.Hijacked < 0 || got.InFlight < 0 {
		s.t.Errorf("after %s: Stats() = %+v do not agree with each other", after, got)
	}
	if isClosed(s.server.Draining()) != s.isDraining() {
		s.t.Errorf("after %s: Draining() is closed: %v, want %v", after, isClosed(s.server.Draining()), s.isDraining())
	}
}

// finish ends the stop, or makes one, and settles the accounts.
func (s *sim) finish() {
	if !isClosed(s.stopped) && !s.t.Failed() {
		s.stop(2 * time.Second)
		s.act()
		s.check("the last stop")
		s.sleep(2 * time.Second)
	}
	synctest.Wait()
	if !isClosed(s.stopped) {
		s.t.Error("the stop has not ended")
	}
	s.checkEnd()
	for _, c := range s.conns {
		if x := s.lastCall(c); x != nil {
			select {
			case x.commands <- evReturn:
			case <-time.After(time.Nanosecond): // it has returned
			}
			if x.hijacked != nil {
				x.hijacked.Close()
			}
		}
		c.client.Close()
	}
	s.server.Close()
	s.others.Wait()
	synctest.Wait()
	if st := s.server.Stats(); st.InFlight != 0 || st.Open() != 0 {
		s.t.Errorf("Stats() in the end = %+v, want nothing open", st)
	}
}

func (s *sim) checkEnd() {
	if s.t.Failed() {
		return
	}
	stuck := false
	for i, c := range s.conns {
		stuck = stuck || c.call != nil && c.call.running
		if !c.gone && c.ended().IsZero() && c.state != http.StateHijacked {
			s.t.Errorf("connection %d is still open", i)
		}
	}
	r := s.server.Report()
	if sum := r.Answered + r.Failed + r.Hijacked + len(r.Aborted); r.Requests != sum {
		s.t.Errorf("Report().Requests = %d, the parts are %d: %+v", r.Requests, sum, r)
	}
	if s.unclear {
		return
	}
	type figures struct{ requests, answered, failed, hijacked, aborted, cancelled, cut, dropped, unbegun int }
	got := figures{r.Requests, r.Answered, r.Failed, r.Hijacked, len(r.Aborted), len(r.Cancelled), len(r.Cut), r.Dropped, r.Unbegun}
	want := figures{s.begun - s.atStop.begun + s.atStop.undecided, s.answered, s.failedSince, s.hijacks, s.abortedSince, s.cancelledCalls, s.cut, s.dropped, 0}
	// Those of which it cannot be known go where the report put them.
	n := got.answered - want.answered
	if n < 0 || n > s.either {
		s.t.Errorf("Report().Answered = %d, want %d to %d", got.answered, want.answered, want.answered+s.either)
	}
	want.answered += n
	want.aborted += s.either - n
	if s.either > 0 {
		want.cancelled, want.dropped = got.cancelled, got.dropped
	}
	if got != want {
		s.t.Errorf("Report() = %+v, want %+v", got, want)
	}
	var aborted *fxshutdown.AbortedError
	lost := 0
	for _, a := range r.Aborted {
		if !a.Stream {
			lost++
		}
	}
	if s.either == 0 && lost != len(r.Aborted)-s.streams {
		s.t.Errorf("Report().Aborted has %d streams, want %d", len(r.Aborted)-lost, s.streams)
	}
	if errors.As(s.stopErr, &aborted) != (lost > 0) || s.stopErr != nil && lost == 0 {
		s.t.Errorf("Stop() = %v with %d requests lost", s.stopErr, lost)
	}
	if aborted != nil && !errors.Is(aborted, s.reason) {
		s.t.Errorf("Stop() = %v, want the reason %v", s.stopErr, s.reason)
	}
	if r.Trigger != s.trigger {
		s.t.Errorf("Report().Trigger = %q, want %q", r.Trigger, s.trigger)
	}
	wantEnd := later(s.listenerUntil(), s.lastGone)
	if stuck {
		wantEnd = later(s.cutTime.Add(lateMost), s.end)
		if s.end.IsZero() || s.cutAtOnce {
			wantEnd = s.cutTime.Add(settleMost)
			if !s.end.IsZero() {
				wantEnd = earlier(wantEnd, later(s.end, s.cutTime.Add(lateMost)))
			}
		}
	}
	if !s.stoppedAt.Equal(wantEnd) {
		s.t.Errorf("the stop ended %v after it began, want %v; stuck: %v", s.stoppedAt.Sub(s.stopAt), wantEnd.Sub(s.stopAt), stuck)
	}
}

// FuzzConfig checks that Validate judges every Config: one that it accepts makes
// a server that stops in bounded time with every kind of connection open, and
// one that it rejects is named.
func FuzzConfig(f *testing.F) {
	f.Add("", true, int64(0), int64(0), int64(0), int64(0), int64(0), int64(0), int64(time.Second))
	f.Add("tcp", true, int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(-1), int64(0))
	f.Add("udp", false, int64(0), int64(0), int64(1), int64(0), int64(1), int64(0), int64(-1))
	f.Add("", true, int64(1<<62), int64(1<<62), int64(-1<<63), int64(1<<63-1), int64(0), int64(1<<63-1), int64(1<<62))
	f.Add("", true, int64(time.Second), int64(ms), int64(2*ms), int64(3*ms), int64(time.Second), int64(time.Hour), int64(-1))
	f.Fuzz(func(t *testing.T, network string, listener bool, delay, idle, request, hijack, drain, reserve, budget int64) {
		cfg := fxshutdown.Config{
			Network:       network,
			ShutdownDelay: time.Duration(delay),
			IdleGrace:     time.Duration(idle),
			RequestGrace:  time.Duration(request),
			HijackGrace:   time.Duration(hijack),
			DrainTimeout:  time.Duration(drain),
			StopReserve:   time.Duration(reserve),
		}
		synctest.Test(t, func(t *testing.T) {
			ln := newPipeListener()
			if listener {
				cfg.Listener = ln
			}
			err := cfg.Validate()
			_, newErr := fxshutdown.New(new(http.Server), cfg)
			if (err == nil) != (newErr == nil) {
				t.Errorf("Validate() = %v, New() = %v", err, newErr)
			}
			wantNamed(t, cfg, err)
			if err == nil && listener {
				stopInTime(t, cfg, ln, time.Duration(budget))
			}
		})
	})
}

// wantNamed checks that what is wrong in cfg is named, and nothing else is.
func wantNamed(t *testing.T, cfg fxshutdown.Config, err error) {
	t.Helper()
	idle := max(cmp.Or(cfg.IdleGrace, fxshutdown.DefaultIdleGrace), 0)
	networks := []string{"", "tcp", "tcp4", "tcp6", "unix", "unixpacket"}
	bounded := cfg.DrainTimeout > 0
	wrong := map[string]bool{
		"is not a stream network": !slices.Contains(networks, cfg.Network),
		"Listener":                cfg.Listener != nil && cfg.Network != "",
		"at birth":                cfg.RequestGrace > 0 && cfg.RequestGrace < idle,
		"no room for IdleGrace":   bounded && cfg.DrainTimeout <= idle,
		"RequestGrace %v never":   bounded && cfg.RequestGrace >= cfg.DrainTimeout,
		"HijackGrace %v never":    bounded && cfg.HijackGrace >= cfg.DrainTimeout,
	}
	any := false
	for text, is := range wrong {
		any = any || is
		field, _, _ := strings.Cut(text, " %v ")
		named := err != nil && strings.Contains(err.Error(), text)
		if field != text {
			for line := range strings.Lines(fmt.Sprint(err)) {
				named = named || strings.HasPrefix(line, field+" ") && strings.Contains(line, "never comes")
			}
		}
		if named != is {
			t.Errorf("Validate(%+v) = %v: says %q: %v, want %v", cfg, err, text, named, is)
		}
	}
	if any != (err != nil) {
		t.Errorf("Validate(%+v) = %v", cfg, err)
	}
}

// stopInTime starts a server with cfg and stops it with a connection in each
// state. Without an end of its own the stop gets one from another's Stop.
func stopInTime(t *testing.T, cfg fxshutdown.Config, ln *pipeListener, budget time.Duration) {
	leave := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			http.NewResponseController(w).Hijack()
		case "/stuck":
			<-leave
		}
	})}
	s, err := fxshutdown.New(srv, cfg)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(ms) // The engine's zero is not a moment.
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/", "/hijack", "/stuck"} {
		c, err := ln.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if path != "" {
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		}
	}
	synctest.Wait()
	if budget < 0 || budget > 100*365*24*time.Hour {
		budget = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	began := time.Now()
	err = s.Stop(ctx)
	took(t, "Stop()", time.Since(began), 0, budget+lateMost)
	if r := s.Report(); err == nil || len(r.Aborted) != 1 || len(r.Cut) != 1 || s.Stats().Open() != 0 {
		t.Errorf("Stop() = %v, Report() = %+v, Stats() = %+v, want one request aborted and one connection cut", err, r, s.Stats())
	}
	close(leave)
}
