package fxshutdown_test

import (
	"io"
	"log"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// handlerScenarios are about handlers that misbehave while the server drains.
var handlerScenarios = []scenario{
	{"Panic", together, allModes, panics("on purpose")},
	{"Abort", together, allModes, panics(http.ErrAbortHandler)},

	// A request that failed before the stop is in Stats, but not in the report.
	{"PanicBeforeStop", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
		s.get(s.client(), "/")
		s.calls.wait(t)
		s.mustStop()
		if st := s.Stats(); st.Failed != 1 || st.Requests != 1 {
			t.Errorf("Stats() = %+v, want one request, failed", st)
		}
	}},

	// net/http logs a panic before it closes the connection. If that blocks until the
	// cut, the request is counted as failed, and as nothing else.
	{"PanicLoggedSlowly", bubbles, h1Modes, func(t *testing.T, m mode) {
		release := make(chan struct{})
		s := start(t, m, func(http.ResponseWriter, *http.Request) { panic("on purpose") }, onPipe,
			func(srv *http.Server, _ *fxshutdown.Config) {
				srv.ErrorLog = log.New(writerFunc(func(p []byte) (int, error) { <-release; return len(p), nil }), "", 0)
			})
		got := s.goGet(s.client(), "/")
		synctest.Wait()
		if _, err := s.timeStop(10 * time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil: the request was over", err)
		}
		if st := s.Stats(); st.Failed != 1 {
			t.Errorf("Stats() = %+v, want one failed", st)
		}
		if r := s.wantReport(account{}); r.Unbegun != 0 {
			t.Errorf("Report() = %+v, want none unbegun", r)
		}
		close(release)
		<-got
	}},

	// A write after the handler's end is the handler's mistake, and hurts nobody else.
	{"WriteAfterEnd", together, h2Modes, func(t *testing.T, m mode) {
		var writers sync.WaitGroup
		ended := make(chan struct{})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			hello(w, r)
			writers.Go(func() {
				defer func() { recover() }() // net/http panics if it notices.
				<-ended
				io.WriteString(w, "too late")
			})
		})
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		close(ended)
		writers.Wait()
	}},
}

// panics returns a scenario with a handler that panics, and another beside it that
// does not.
func panics(value any) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		g := newGate()
		defer g.open()
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			g.ServeHTTP(w, r)
			if r.URL.Path == "/bad" {
				panic(value)
			}
		})
		good, bad := s.goGet(s.client(), "/good"), s.goGet(s.client(), "/bad")
		g.waitEntered(t, 2)
		done := s.stopIn(patience)
		g.open()
		receive(t, "the good client", good).want(t, "hello")
		if r := receive(t, "the bad client", bad); r.err == nil {
			t.Errorf("response of a handler that panics = %v", r.resp.Status)
		}
		if err := receive(t, "Stop()", done); err != nil {
			t.Errorf("Stop() = %v, want nil: a panic is not an abort", err)
		}
		r := s.wantReport(account{answered: 1, failed: 1})
		if !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful: nothing was cut", r)
		}
		if st := s.Stats(); st.Failed != 1 {
			t.Errorf("Stats() = %+v, want one failed", st)
		}
	}
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
