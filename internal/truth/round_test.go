package truth

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// hangMost is how much longer than it may a stop takes before it counts as hanging.
const hangMost = 3 * time.Second

var certificate, _ = testcert.New()

// An account is all that is known of a round when it is over.
type account struct {
	script *script
	seen   []*seen
	conns  [][]*seen // by connection of the script

	began   time.Time // just before the stop was asked for
	ended   time.Time
	hung    bool
	err     error
	atEnd   fxshutdown.Report // when Stop had returned
	report  fxshutdown.Report // when all was over
	stats   fxshutdown.Stats
	events  []timedEvent
	running bool // a handler did not end
}

type timedEvent struct {
	at time.Time
	fxshutdown.Event
}

// A recorder is a Logger that keeps the events.
type recorder struct {
	mu     sync.Mutex // guards events
	events []timedEvent
}

func (r *recorder) LogEvent(e fxshutdown.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, timedEvent{time.Now(), e})
}

// blocks returns what a hook calls.
func blocks(sc *script) func() {
	if sc.hookBlocks == 0 {
		return func() {}
	}
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(sc.seed, uint64(sc.round)))
	return func() {
		mu.Lock()
		now := r.IntN(4) == 0
		mu.Unlock()
		if now {
			time.Sleep(sc.hookBlocks)
		}
	}
}

// play plays a script.
func play(sc *script) (*account, error) {
	a := &account{script: sc}
	for _, qs := range sc.conns {
		var conn []*seen
		for _, q := range qs {
			s := &seen{q: q}
			conn, a.seen = append(conn, s), append(a.seen, s)
		}
		a.conns = append(a.conns, conn)
	}
	stopped, rec, block := make(chan struct{}), &recorder{}, blocks(sc)
	h := &handlers{stopped: stopped, seen: a.seen}
	srv := &http.Server{
		Addr:      "127.0.0.1:0",
		Handler:   h,
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnState: func(net.Conn, http.ConnState) { block() },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			block()
			return context.WithValue(ctx, connKey{}, c)
		},
		Protocols: new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(!sc.mode.h2)
	srv.Protocols.SetHTTP2(sc.mode.h2 && sc.mode.tls)
	srv.Protocols.SetUnencryptedHTTP2(sc.mode.h2 && !sc.mode.tls)
	if sc.mode.tls {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	cfg := fxshutdown.Config{
		TLS: sc.mode.tls, Logger: rec, StopReserve: -1,
		IdleGrace: idleGrace, RequestGrace: sc.requestGrace, HijackGrace: sc.hijackGrace,
	}
	if sc.force == byDrainTimeout {
		cfg.DrainTimeout = sc.limit
		cfg.RequestGrace = min(cfg.RequestGrace, sc.limit-ms)
		cfg.HijackGrace = min(cfg.HijackGrace, sc.limit-ms)
	}
	server, err := fxshutdown.New(srv, cfg)
	if err != nil {
		return nil, err
	}
	h.server = server
	if err := server.Start(context.Background()); err != nil {
		return nil, err
	}
	addr := server.Addr()
	var clients sync.WaitGroup
	for _, conn := range a.conns {
		clients.Go(func() {
			if sc.mode.h2 {
				playH2(sc.mode, addr, conn)
			} else {
				playH1(sc.mode, addr, conn)
			}
		})
	}
	time.Sleep(sc.stopAt)
	a.stop(server)
	close(stopped)
	clients.Wait()
	a.settle(server, h)
	rec.mu.Lock()
	a.events = rec.events
	rec.mu.Unlock()
	return a, nil
}

// stop stops the server as the script says.
func (a *account) stop(server *fxshutdown.Server) {
	sc := a.script
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	force := func() {}
	switch sc.force {
	case byBudget:
		ctx, cancel = context.WithTimeout(ctx, sc.limit)
		defer cancel()
	case byClose:
		force = func() { server.Close() }
	case byCancel:
		force = cancel
	case byServerClose:
		force = func() { server.HTTPServer().Close() }
	}
	done := make(chan error, 1)
	a.began = time.Now()
	go func() { done <- server.Stop(ctx) }()
	timer := time.AfterFunc(sc.limit, force)
	defer timer.Stop()
	select {
	case a.err = <-done:
	case <-time.After(sc.limit + hangMost):
		a.hung = true
		server.Close()
		a.err = <-done
	}
	a.ended = time.Now()
	a.atEnd = server.Report()
}

// settle waits for the handlers and takes the last figures.
func (a *account) settle(server *fxshutdown.Server, h *handlers) {
	over := func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, s := range a.seen {
			if !s.begun.IsZero() && s.ended.IsZero() {
				return false
			}
		}
		return server.Stats().InFlight == 0
	}
	for end := time.Now().Add(hangMost); !over(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			a.running = true
			break
		}
	}
	h.wg.Wait()
	// What the handlers wrote under the lock is read without it from here on.
	h.locked(func() { a.report, a.stats = server.Report(), server.Stats() })
}
