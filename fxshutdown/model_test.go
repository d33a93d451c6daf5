package fxshutdown_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

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
	part       bool   // part of a request's header is in the pipe behind them
	buffered   int    // how many of kinds net/http has read with the one before them
	ahead      bool   // net/http holds a byte that it read while a handler ran: see settle
	pipelined  bool   // it sent while a handler ran: the server may assume that there is more
	gone       bool   // the client has closed
	waitsSince time.Time
	quiet      time.Time // when the last byte came, or waiting began
	replies    int       // that the client must have got
	call       *call     // the handler that runs, or the one that hijacked
	hijackCut  time.Time // when HijackGrace ends it
	reported   bool      // as cut
}

// A call is one run of the handler, and the request's place in the model.
type call struct {
	conn     *simConn
	kind     byte // 's' waits for commands only, 'c' for its context too, 'd' for Draining too
	commands chan int
	hijacked net.Conn

	running   bool
	committed bool // before the drain
	flushed   bool
	asked     bool
	broken    bool // a write of the response failed
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
	answered               int // since the stop began, like the next two
	failedSince, hijacks   int
	cancelledCalls         int
	abortedSince, streams  int
	dropped, cut           int
	either                 int // requests that ended on their own while they were cut
	unclear                bool
	lastDial               time.Time
	lastGone               time.Time
	seen                   time.Time // the last sign of the client, which all connections are of, since the drain began

	trigger     string
	stopAt      time.Time
	drainAt     time.Time // zero: no stop
	end         time.Time // zero: none
	window      time.Duration
	draining    bool
	forceBegan  time.Time
	cutBy       time.Time // when the cut comes; zero until the force phase begins
	contextEnds time.Time // the first of those of Stop
	forcedAt    time.Time // when it was forced
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
