package fxshutdown_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// tick is how late a connection may be told.
const tick = 10 * ms

func spreading(d, delay time.Duration) setting {
	return func(_ *http.Server, cfg *fxshutdown.Config) { cfg.DrainSpread, cfg.ShutdownDelay = d, delay }
}

// moments collects how long after its beginning something happened.
type moments struct {
	mu    sync.Mutex // guards since and at
	since time.Time
	at    []time.Duration
}

func (m *moments) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.since = time.Now()
}

func (m *moments) note() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = append(m.at, time.Since(m.since))
}

// wantSpread checks that n of them came, evenly over d.
func (m *moments) wantSpread(t *testing.T, what string, n int, d time.Duration) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	const parts = 10
	var in [parts + 1]int
	for _, at := range m.at {
		in[min(max(int(at*parts/d), 0), parts)]++
	}
	if len(m.at) != n || in[parts] > n/parts {
		t.Errorf("%s: %d, %d of them after %v, want %d, none", what, len(m.at), in[parts], d, n)
	}
	for i, got := range in[:parts] {
		if got > 2*n/parts {
			t.Errorf("%s: %d of %d in tenth %d of %v, want at most twice its share", what, got, n, i+1, d)
		}
	}
}

// startStreams starts a server with n streams, each of a client of its own. Each notes
// when it is told, and ends. The times count from here.
func startStreams(t *testing.T, m mode, n int, told *moments, settings ...setting) (*server, []<-chan reply) {
	t.Helper()
	entered := make(chan struct{}, n)
	s := start(t, m, sse(entered, func(r *http.Request) {
		<-fxshutdown.Draining(r.Context())
		told.note()
	}), append(settings, onPipe)...)
	var replies []<-chan reply
	for range n {
		replies = append(replies, s.goGet(s.client(), "/events"))
		<-entered
	}
	told.begin()
	return s, replies
}

// spreadScenarios are about connections that a stop retires one by one.
var spreadScenarios = []scenario{
	// Each stream is told when its connection has its turn.
	{"Streams", bubbles, allModes, func(t *testing.T, m mode) {
		const n = 60
		var told moments
		s, replies := startStreams(t, m, n, &told, spreading(4*time.Second, 0))
		s.mustStopIn(3900*ms, 4*time.Second+grace+tick)
		for _, r := range replies {
			(<-r).want(t, event1)
		}
		told.wantSpread(t, "streams that were told", n, 4*time.Second)
		s.wantReport(account{answered: n})
	}},

	// Idle and hijacked connections have their turns too.
	{"IdleAndHijacked", bubbles, h1Modes, func(t *testing.T, m mode) {
		const n = 60
		var told, closed moments
		entered := make(chan struct{}, n)
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) {
			defer c.Close()
			<-fxshutdown.Draining(r.Context())
			told.note()
		}), onPipe, spreading(4*time.Second, 0), idleGrace(10*ms))
		for range n {
			c := s.raw()
			c.get("/socket")
			<-entered
			c.discard()
			idle := s.raw()
			go func() {
				io.Copy(io.Discard, idle.br)
				closed.note()
			}()
		}
		time.Sleep(time.Second)
		told.begin()
		closed.begin()
		s.mustStopIn(3900*ms, 4*time.Second+bound)
		told.wantSpread(t, "hijacked connections that were told", n, 4*time.Second)
		synctest.Wait()
		closed.since = closed.since.Add(500 * ms) // all are one client, which is never quiet
		closed.wantSpread(t, "idle connections that were closed", n, 4*time.Second)
	}},

	// The spread begins with the delay, during which clients are still accepted, and told
	// at once.
	{"WithDelay", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, spreading(2*time.Second, time.Second))
		for range 20 {
			s.get(s.client(), "/").want(t, "hello")
		}
		time.Sleep(time.Second)
		done := s.stopIn(time.Minute) // returns when Draining is closed
		synctest.Wait()
		if !isClosed(s.Unready()) {
			t.Error("the server is draining, but not stopping")
		}
		time.Sleep(900 * ms)
		c := s.client()
		r := s.get(c, "/")
		r.want(t, "hello")
		r.wantClose(t, !m.h2)
		if n := s.Stats().Open(); n < 8 || n > 16 {
			t.Errorf("%d connections are open 0.9 s into a spread of 2 s, want 11 or so", n)
		}
		time.Sleep(200 * ms)
		if r := s.get(s.client(), "/"); r.err == nil {
			t.Error("a client was accepted after the delay")
		}
		wantStopped(t, done)
		r2 := s.Report()
		var phases []fxshutdown.PhaseName
		for _, p := range r2.Phases {
			phases = append(phases, p.Name)
		}
		if want := []fxshutdown.PhaseName{"announce", "delay", "listener", "drain"}; !slices.Equal(phases, want) {
			t.Errorf("Report().Phases = %v, want %v", r2.Phases, want)
		}
	}},

	// With too little time, the spread is shortened, and the log says so.
	{"Shortened", bubbles, allModes, func(t *testing.T, m mode) {
		const n = 40
		var told moments
		s, _ := startStreams(t, m, n, &told, spreading(time.Minute, 0))
		d, err := s.timeStop(10 * time.Second) // 9 s of its own, of which 0.5 s are for the force phase
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		took(t, "Stop()", d, 4*time.Second, 4250*ms+grace+tick)
		told.wantSpread(t, "streams that were told", n, 4250*ms)
		if e := event[*fxshutdown.StopBegan](s); e.DrainSpread != time.Minute || e.Spread != 4250*ms {
			t.Errorf("StopBegan = %+v, want a spread of a minute shortened to 4.25s", e)
		}
	}},

	// DrainTimeout shortens it too.
	{"DrainTimeout", bubbles, []mode{h1, h2}, func(t *testing.T, m mode) {
		const n = 40
		var told moments
		s, _ := startStreams(t, m, n, &told, spreading(9*time.Second, 0),
			config(func(cfg *fxshutdown.Config) { cfg.DrainTimeout = 10 * time.Second }))
		s.mustStopIn(4*time.Second, 4750*ms+grace+tick) // 0.5 s of the 10 s are for the force phase
		told.wantSpread(t, "streams that were told", n, 4750*ms)
		if e := event[*fxshutdown.StopBegan](s); e.DrainSpread != 9*time.Second || e.Spread != 4750*ms {
			t.Errorf("StopBegan = %+v, want a spread of 9s shortened to 4.75s", e)
		}
	}},

	// A Stop that joins with less time makes it faster.
	{"Hurried", bubbles, allModes, func(t *testing.T, m mode) {
		const n = 40
		s, _ := startStreams(t, m, n, new(moments), spreading(time.Hour, 0))
		done := s.stopIn(10 * time.Hour)
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		wantStopped(t, done)
		if r := s.wantReport(account{answered: n}); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
	}},

	// A forced stop does not wait for any turn.
	{"Forced", bubbles, allModes, func(t *testing.T, m mode) {
		const n = 10
		s, _ := startStreams(t, m, n, new(moments), spreading(time.Hour, 0))
		done := s.stopIn(0)
		time.Sleep(time.Second)
		began := time.Now()
		s.Close()
		took(t, "Close()", time.Since(began), 0, bound)
		wantStopped(t, done)
	}},

	// The graces count from where they should: RequestGrace from the end of the spread,
	// HijackGrace from the turn of each connection.
	{"Graces", bubbles, h1Modes, func(t *testing.T, m mode) {
		var cancelled, told, closed moments
		entered := make(chan struct{}, 2)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/socket" {
				entered <- struct{}{}
				<-r.Context().Done()
				cancelled.note()
				return
			}
			hijack(t, entered, func(c net.Conn, r *http.Request) {
				defer c.Close()
				<-fxshutdown.Draining(r.Context())
				told.note()
				io.Copy(io.Discard, c)
				closed.note()
			})(w, r)
		}, onPipe, spreading(4*time.Second, 0), config(func(cfg *fxshutdown.Config) {
			cfg.RequestGrace, cfg.HijackGrace = time.Second, time.Second
		}))
		s.goGet(s.client(), "/slow")
		<-entered
		c := s.raw()
		c.get("/socket")
		<-entered
		c.discard()
		for _, m := range []*moments{&cancelled, &told, &closed} {
			m.begin()
		}
		s.mustStopIn(5*time.Second, 6*time.Second)
		took(t, "the request", cancelled.at[0], 5*time.Second, 5*time.Second)
		took(t, "the hijacked connection", closed.at[0]-told.at[0], time.Second, time.Second+bound)
	}},
}

// Settings that do not fit a spread are errors that name it.
func TestValidateSpread(t *testing.T) {
	for want, cfg := range map[string]fxshutdown.Config{
		"DrainSpread 5s must be shorter than DrainTimeout 5s": {DrainSpread: 5 * time.Second, DrainTimeout: 5 * time.Second},
		"ShutdownDelay 9s must be shorter than DrainTimeout 8s: with DrainSpread, both begin with the stop": {
			DrainSpread: time.Second, DrainTimeout: 8 * time.Second, ShutdownDelay: 9 * time.Second},
		"RequestGrace 2s has no effect: it counts from the end of DrainSpread 2s, and DrainTimeout 4s ends the drain first": {
			DrainSpread: 2 * time.Second, DrainTimeout: 4 * time.Second, RequestGrace: 2 * time.Second},
		"MaxRequestsPerConnection -1 is negative: zero means no limit": {MaxRequestsPerConnection: -1},
	} {
		if err := cfg.Validate(); fmt.Sprint(err) != want {
			t.Errorf("Validate() = %v, want %s", err, want)
		}
	}
}
