package fxshutdown_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// maxAge is the maximum age of connections in these tests; the jitter is a tenth of it.
const maxAge = 10 * time.Second

// goAwayEnd is how long an HTTP/2 connection may last after GOAWAY: net/http closes it
// after a second.
const goAwayEnd = 1100 * ms

func aging(_ *http.Server, cfg *fxshutdown.Config) {
	cfg.MaxConnectionAge = maxAge
	cfg.MaxConnectionAgeGrace = 5 * time.Second
}

// ageScenarios are about connections that retire while the server serves.
var ageScenarios = []scenario{
	// The first response after the connection's time says close; on HTTP/2, GOAWAY comes
	// without a request.
	{"Told", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, aging)
		c := s.client()
		for range 9 { // not at an instant at which it may be too old
			s.get(c, "/").wantClose(t, false)
			time.Sleep(maxAge/10 - ms)
		}
		if st := s.Stats(); st.Accepted != 1 || st.Retired != 0 {
			t.Errorf("Stats() = %+v, want one connection, not retired", st)
		}
		time.Sleep(maxAge / 4)
		s.get(c, "/").wantClose(t, !m.h2)
		s.get(c, "/").wantClose(t, false)
		time.Sleep(goAwayEnd)
		if st := s.Stats(); st.Accepted != 2 || st.RetiredByAge != 1 || st.Retired != 1 || st.Open() != 1 {
			t.Errorf("Stats() = %+v, want another connection, and the first one retired and gone", st)
		}
		if isClosed(s.Draining()) || isClosed(s.Unready()) {
			t.Error("the server counts as draining")
		}
	}},

	// An idle HTTP/1 connection stays, since its next request may be on its way.
	{"IdleStays", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, aging)
		c := s.client()
		s.get(c, "/").wantClose(t, false)
		time.Sleep(100 * maxAge)
		s.get(c, "/").wantClose(t, true)
		if st := s.Stats(); st.Accepted != 1 {
			t.Errorf("Stats() = %+v, want one connection", st)
		}
	}},

	// A request that runs meanwhile is answered in full, and is the last of its
	// connection.
	{"InTheMiddle", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(maxAge + 2*time.Second)
			io.WriteString(w, "slow")
		}, onPipe, aging)
		c := s.client()
		r := s.get(c, "/slow")
		r.want(t, "slow")
		r.wantClose(t, !m.h2)
		time.Sleep(goAwayEnd)
		if st := s.Stats(); st.Open() != 0 || st.Answered != 1 {
			t.Errorf("Stats() = %+v, want the connection gone, the request answered", st)
		}
	}},

	{"StreamsAreTold", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, sse(entered, func(r *http.Request) { <-fxshutdown.Draining(r.Context()) }), onPipe, aging)
		began := time.Now()
		s.get(s.client(), "/events").want(t, event1)
		took(t, "the stream", time.Since(began), maxAge*9/10, maxAge*11/10)
		if isClosed(s.Draining()) {
			t.Error("the server counts as draining")
		}
	}},

	// A request that ignores that is cancelled when its grace is over, and has time to
	// answer.
	{"Cancelled", bubbles, allModes, func(t *testing.T, m mode) {
		var cause error
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			cause = context.Cause(r.Context())
			io.WriteString(w, "sorry")
		}, onPipe, aging)
		began := time.Now()
		s.get(s.client(), "/").want(t, "sorry")
		took(t, "the request", time.Since(began), maxAge*9/10+5*time.Second, maxAge*11/10+5*time.Second)
		if !errors.Is(cause, fxshutdown.ErrConnectionAgeGrace) || errors.Is(cause, fxshutdown.ErrStopping) {
			t.Errorf("cause = %v, want ErrConnectionAgeGrace alone", cause)
		}
		time.Sleep(goAwayEnd)
		if st := s.Stats(); st.Answered != 1 || st.Open() != 0 {
			t.Errorf("Stats() = %+v, want one answered, none open", st)
		}
	}},

	// A request that ignores that too is cut, counted and reported; the server serves on.
	{"Cut", bubbles, allModes, func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stuck" {
				g.ServeHTTP(w, r)
			}
		}, onPipe, aging)
		began := time.Now()
		s.get(s.client(), "/stuck?secret").wantNone(t)
		took(t, "the request", time.Since(began), maxAge*9/10+5500*ms, maxAge*11/10+5500*ms)
		if st := s.Stats(); st.Aborted != 1 || st.Open() != 0 || st.InFlight != 1 {
			t.Errorf("Stats() = %+v, want one aborted, and its handler still running", st)
		}
		e := event[*fxshutdown.AgeGraceOver](s)
		if e.Aborted != 1 || e.HijackedClosed != 0 || len(e.Requests) != 1 || e.Requests[0].Path != "/stuck" {
			t.Errorf("event %+v, want the request", e)
		}
		s.get(s.client(), "/").want(t, "")
		g.open()
		s.mustStop()
		if r := s.Report(); !r.Graceful() {
			t.Errorf("Report() = %+v: the stop cut nothing", r)
		}
	}},

	{"Hijacked", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		told := make(chan time.Duration, 1)
		began := time.Now()
		s := start(t, m, hijack(t, entered, func(c net.Conn, r *http.Request) {
			defer c.Close()
			<-fxshutdown.Draining(r.Context())
			told <- time.Since(began)
			<-r.Context().Done()
			c.Read(make([]byte, 1))
		}), onPipe, aging)
		c := s.raw()
		c.get("/socket")
		<-entered
		at := <-told
		took(t, "the word", at, maxAge*9/10, maxAge*11/10)
		c.discard()
		time.Sleep(6 * time.Second)
		if st := s.Stats(); st.Hijacked != 0 || st.Open() != 0 {
			t.Errorf("Stats() = %+v, want the connection closed", st)
		}
		if e := event[*fxshutdown.AgeGraceOver](s); e.HijackedClosed != 1 || e.Aborted != 0 || len(e.Requests) != 1 {
			t.Errorf("event %+v, want the hijacked connection", e)
		}
	}},

	// The response to the last request that a connection may carry says close.
	{"Requests", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe, func(_ *http.Server, cfg *fxshutdown.Config) { cfg.MaxRequestsPerConnection = 3 })
		c := s.client()
		for i := range 9 {
			s.get(c, "/").wantClose(t, !m.h2 && i%3 == 2)
			time.Sleep(time.Second)
		}
		time.Sleep(goAwayEnd)
		if st := s.Stats(); st.Accepted != 3 || st.RetiredByRequests != 3 || st.Retired != 3 || st.Open() != 0 {
			t.Errorf("Stats() = %+v, want three connections of three requests, retired and gone", st)
		}
	}},

	// A stop that comes later has its own times.
	{"StopLater", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, hijack(t, entered, func(c net.Conn, _ *http.Request) {
			defer c.Close()
			io.Copy(io.Discard, c)
		}), onPipe, func(_ *http.Server, cfg *fxshutdown.Config) {
			cfg.MaxConnectionAge = maxAge
			cfg.HijackGrace = 3 * time.Second
		})
		c := s.raw()
		c.get("/socket")
		<-entered
		c.discard()
		time.Sleep(10 * maxAge)
		if st := s.Stats(); st.Hijacked != 1 || st.Retired != 1 {
			t.Fatalf("Stats() = %+v, want a hijacked connection that has retired", st)
		}
		s.mustStopIn(3*time.Second, 3*time.Second+100*ms)
	}},

	// Connections that were made together do not end together.
	{"Jitter", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		const n = 100
		s := start(t, m, hello, onPipe, aging)
		for range n {
			s.get(s.client(), "/")
		}
		time.Sleep(maxAge*9/10 - ms)
		var seen []uint64
		for range 22 {
			seen = append(seen, s.Stats().Retired)
			time.Sleep(maxAge / 100)
		}
		if seen[0] != 0 || seen[21] != n {
			t.Errorf("%d had retired before nine tenths of the age, %d after eleven, want 0, %d", seen[0], seen[21], n)
		}
		for i := 1; i < len(seen); i++ {
			if seen[i]-seen[i-1] > n/4 {
				t.Errorf("%d of %d retired within a hundredth of the age", seen[i]-seen[i-1], n)
			}
		}
	}},
}

// TestRetire chooses connections by what Retire tells about them.
func TestRetire(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/held" {
				g.ServeHTTP(w, r)
			}
		}, onPipe)
		busy, idle := s.client(), s.client()
		s.get(idle, "/").wantClose(t, false)
		time.Sleep(time.Second)
		s.get(busy, "/").wantClose(t, false)
		held := s.goGet(busy, "/held")
		t.Cleanup(g.open)
		g.waitEntered(t, 1)
		time.Sleep(time.Second)
		synctest.Wait()

		proto := "HTTP/1.1"
		if m.h2 {
			proto = "HTTP/2.0"
		}
		want := map[fxshutdown.ConnInfo]bool{
			{RemoteAddr: "pipe", Proto: proto, State: http.StateIdle, Age: 2 * time.Second, Requests: 1}:            false,
			{RemoteAddr: "pipe", Proto: proto, State: http.StateActive, Age: time.Second, Requests: 2, InFlight: 1}: false,
		}
		if n := s.Retire(func(i fxshutdown.ConnInfo) bool {
			if seen, ok := want[i]; !ok || seen {
				t.Errorf("Retire told of %+v, want each of %+v once", i, want)
			}
			want[i] = true
			return i.State == http.StateActive
		}); n != 1 {
			t.Errorf("Retire() = %d, want 1", n)
		}
		g.open()
		r := receive(t, "the response", held)
		r.wantClose(t, !m.h2)
		s.get(idle, "/").wantClose(t, false)
		time.Sleep(goAwayEnd)
		if st := s.Stats(); st.Retired != 1 || st.Open() != 1 {
			t.Errorf("Stats() = %+v, want one retired and gone, one that serves", st)
		}
		all := func(fxshutdown.ConnInfo) bool { return true }
		if n := s.Retire(all); n != 1 {
			t.Errorf("Retire() of all = %d, want the one that serves", n)
		}
		s.mustStop()
		if n := s.Retire(all); n != 0 {
			t.Errorf("Retire() after Stop() = %d, want 0", n)
		}
	})
}

// Retire does nothing when the server does not serve: not yet, or when it is about to
// stop, which tells everybody.
func TestRetireElsewhen(t *testing.T) {
	bubbles(t, []mode{h1}, func(t *testing.T, m mode) {
		all := func(fxshutdown.ConnInfo) bool { return true }
		s := newServer(t, m, hello, onPipe, delay(time.Second))
		if n := s.Retire(all); n != 0 {
			t.Errorf("Retire() before Start() = %d, want 0", n)
		}
		s.start()
		s.get(s.client(), "/").want(t, "hello")
		done := make(chan error, 1)
		go func() { done <- s.stop() }()
		synctest.Wait()
		if n := s.Retire(all); n != 0 || s.Stats().Open() != 1 {
			t.Errorf("Retire() during the delay = %d, want 0 of %d", n, s.Stats().Open())
		}
		wantStopped(t, done)
	})
}
