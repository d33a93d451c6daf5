package fxshutdown_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// ageStopScenarios are about a stop that begins while the keeper ends what went on for
// too long.
var ageStopScenarios = []scenario{
	// A request that the keeper had cancelled is not the stop's doing.
	{"Cancelled", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			time.Sleep(300 * ms)
			if r.URL.Path == "/fails" {
				panic(http.ErrAbortHandler)
			}
		}, onPipe, cancelled5)
		fails, answers := s.goGet(s.client(), "/fails"), s.goGet(s.client(), "/answers")
		time.Sleep(5100 * ms)
		err := s.stop()
		receive(t, "the reply", fails).wantNone(t)
		receive(t, "the reply", answers).want(t, "")
		var aborted *fxshutdown.AbortedError
		if !errors.As(err, &aborted) || aborted.Count != 1 {
			t.Errorf("Stop() = %v, want one request aborted", err)
		}
		if e := event[*fxshutdown.RequestAborted](s); !errors.Is(e.Reason, fxshutdown.ErrConnectionAgeGrace) {
			t.Errorf("event %+v, want the reason ErrConnectionAgeGrace", e)
		}
		if r := s.Report(); r.Cancelled != 0 || len(r.CancelledRequests) != 0 {
			t.Errorf("Report() = %+v: the stop has cancelled nothing", r)
		}
	}},

	// What the keeper ends when a stop has begun, in its delay, is in the stop's report.
	{"InDelay", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			if r.URL.Path == "/stuck" {
				time.Sleep(time.Second)
			}
			panic(http.ErrAbortHandler)
		}, onPipe, cancelled5, delay(10*time.Second))
		fails, stuck := s.goGet(s.client(), "/fails"), s.goGet(s.client(), "/stuck")
		time.Sleep(4900 * ms)
		err := s.stop()
		receive(t, "the reply", fails).wantNone(t)
		receive(t, "the reply", stuck).wantNone(t)
		var aborted *fxshutdown.AbortedError
		if !errors.As(err, &aborted) || aborted.Count != 2 {
			t.Errorf("Stop() = %v, want two requests aborted", err)
		}
		if r := s.wantReport(account{aborted: 2}); len(r.AbortedRequests) != 2 {
			t.Errorf("Report().AbortedRequests = %v, want both", r.AbortedRequests)
		}
	}},
	{"HijackedInDelay", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, hijack(t, entered, func(c net.Conn, _ *http.Request) {
			defer c.Close()
			io.Copy(io.Discard, c)
		}), onPipe, cancelled5, delay(10*time.Second))
		c := s.raw()
		c.get("/socket")
		<-entered
		c.discard()
		time.Sleep(4900 * ms)
		s.mustStop()
		if r := s.wantReport(account{cut: 1}); len(r.HijackedClosedRequests) != 1 {
			t.Errorf("Report().HijackedClosedRequests = %v, want the connection", r.HijackedClosedRequests)
		}
	}},

	// A hijacked connection of which our side is closed is cut, whoever closed it.
	{"HalfClosed", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, hijack(t, entered, func(c net.Conn, _ *http.Request) {
			defer c.Close()
			for buf := make([]byte, 1); ; { // and its client never closes
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
		}), onPipe, cancelled5)
		c := s.raw()
		c.get("/socket")
		<-entered
		c.discard()
		time.Sleep(5050 * ms)
		s.mustStopIn(0, 100*ms)
		if r := s.Report(); r.HijackedClosed != 0 || !r.Graceful() {
			t.Errorf("Report() = %+v: the stop has cut nothing", r)
		}
		if e := event[*fxshutdown.AgeGraceOver](s); e.HijackedClosed != 1 {
			t.Errorf("event %+v, want the connection", e)
		}
	}},
}

// cancelled5 retires connections at their first request and cancels it 5 s later.
func cancelled5(_ *http.Server, cfg *fxshutdown.Config) {
	cfg.MaxRequestsPerConnection = 1
	cfg.MaxConnectionAgeGrace = 5 * time.Second
}

// A stop may begin while Retire asks about connections: then Retire does nothing more.
func TestRetireWhileStopping(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		s, g, held := startHeld(t, m, "/held", onPipe, spreading(time.Hour, 0))
		asked, retired := make(chan struct{}), make(chan int)
		go func() {
			retired <- s.Retire(func(fxshutdown.ConnInfo) bool {
				close(asked)
				<-s.Draining()
				time.Sleep(time.Second)
				return true
			})
		}()
		<-asked
		done := s.stopIn(0)
		if n := <-retired; n != 0 || s.Stats().Retired != 0 {
			t.Errorf("Retire() = %d, Stats() = %+v, want none once a stop has begun", n, s.Stats())
		}
		g.open()
		receive(t, "the response", held).want(t, "hello")
		synctest.Wait() // otherwise it is not known yet that it is written
		s.Close()
		wantStopped(t, done)
	})
}
