package fxshutdown_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// endOnDrainScenarios are about streams whose handlers know nothing of Draining.
var endOnDrainScenarios = []scenario{
	{"Returns", bubbles, allModes, func(t *testing.T, m mode) {
		entered, causes := make(chan struct{}, 1), make(chan error, 1)
		s := start(t, m, endOnDrain(sse(entered, func(r *http.Request) {
			<-r.Context().Done()
			causes <- context.Cause(r.Context())
		})), onPipe)
		got := s.goGet(s.client(), "/events")
		<-entered
		time.Sleep(time.Second)
		if rs := s.InFlight(); len(rs) != 1 || !rs[0].Stream {
			t.Errorf("InFlight() = %+v, want a stream", rs)
		}
		began := time.Now()
		done := s.stopIn(0)
		cause := receive(t, "the cause", causes)
		took(t, "the end of the context", time.Since(began), 0, atOnce)
		if !errors.Is(cause, fxshutdown.ErrDraining) || errors.Is(cause, fxshutdown.ErrStopping) {
			t.Errorf("Cause() = %v, want ErrDraining alone", cause)
		}
		(<-got).want(t, event1)
		wantStopped(t, done)
		took(t, "Stop()", time.Since(began), 0, grace+atOnce)
		if r := s.wantReport(account{answered: 1}); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
	}},

	// A handler may give up, as ReverseProxy does once it has written its header.
	{"Abandons", bubbles, allModes, endsWith(account{ended: 1}, func(http.ResponseWriter) {
		panic(http.ErrAbortHandler)
	})},
	{"Short", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		var s *server
		s = start(t, m, endOnDrain(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "50")
			w.(http.Flusher).Flush()
			entered <- struct{}{}
			<-r.Context().Done()
			s.calls.short.Add(1)
		}), onPipe)
		got := s.goGet(s.client(), "/")
		<-entered
		s.mustStop()
		(<-got).wantNone(t)
		s.wantReport(account{ended: 1})
	}},

	// A request whose handler panics otherwise has failed, and the log has the stack of
	// that panic.
	{"Panics", bubbles, allModes, endsWith(account{failed: 1}, panicOnPurpose)},

	// A request whose handler gives up before the drain has failed, as without
	// EndOnDrain.
	{"AbandonsBefore", bubbles, allModes, func(t *testing.T, m mode) {
		s := start(t, m, endOnDrain(playground), onPipe)
		s.get(s.client(), "/abort").wantNone(t)
		synctest.Wait()
		if st := s.Stats(); st.Failed != 1 || st.Ended != 0 {
			t.Errorf("Stats() = %+v, want 1 failed, none ended", st)
		}
		s.mustStop()
	}},

	// A stream whose handler looks neither at its context nor at anything else is cut,
	// and is not an error.
	{"Stays", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, endOnDrain(func(http.ResponseWriter, *http.Request) {
			entered <- struct{}{}
			time.Sleep(20 * time.Second)
		}), onPipe)
		s.goGet(s.client(), "/deaf")
		<-entered
		if _, err := s.timeStop(10 * time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil: it is a stream", err)
		}
		if r := s.wantReport(account{aborted: 1}); !r.AbortedRequests[0].Stream {
			t.Errorf("Report().AbortedRequests = %+v, want a stream", r.AbortedRequests)
		}
	}},

	// RequestGrace comes first: it is the cause, and the stream has ended all the same.
	{"RequestGrace", bubbles, allModes, func(t *testing.T, m mode) {
		entered, causes := make(chan struct{}, 1), make(chan error, 1)
		s := start(t, m, endOnDrain(func(_ http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-r.Context().Done()
			causes <- context.Cause(r.Context())
			panic(http.ErrAbortHandler)
		}), onPipe, idleGrace(5*ms), config(func(c *fxshutdown.Config) { c.RequestGrace = 100 * ms }))
		s.goGet(s.client(), "/")
		<-entered
		s.mustStop()
		if cause := <-causes; !errors.Is(cause, fxshutdown.ErrRequestGrace) {
			t.Errorf("Cause() = %v, want ErrRequestGrace", cause)
		}
		s.wantReport(account{ended: 1, cancelled: 1})
	}},

	// A request that is quick enough is answered: one that has flushed nothing when the
	// drain begins, one that has just begun, and one that comes late.
	{"Grace/Unflushed", bubbles, allModes, quickEnough(0, time.Second, false)},
	{"Grace/Young", bubbles, allModes, quickEnough(0, 100*ms, true)},
	{"Grace/Late", bubbles, h1Modes, quickEnough(100*ms, 0, false)},
	{"Grace/LateAndFlushed", bubbles, h1Modes, quickEnough(100*ms, 0, true)},

	{"BareServer", sockets, allModes, func(t *testing.T, m mode) {
		var outer *http.Request
		inner := fxshutdown.EndOnDrain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r != outer {
				t.Error("the handler has got another request")
			}
			hello(w, r)
		}))
		s := startBare(t, m, func(w http.ResponseWriter, r *http.Request) {
			outer = r
			inner.ServeHTTP(w, r)
		})
		s.get(s.client(), "/").want(t, "hello")
	}},
}

func endOnDrain(h http.HandlerFunc) http.HandlerFunc { return fxshutdown.EndOnDrain(h).ServeHTTP }

func panicOnPurpose(http.ResponseWriter) { panic("on purpose") }

// endsWith returns a scenario with a stream that ends itself by end when it is cancelled.
func endsWith(want account, end func(http.ResponseWriter)) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		stream := sse(entered, func(r *http.Request) { <-r.Context().Done() })
		s := start(t, m, endOnDrain(func(w http.ResponseWriter, r *http.Request) {
			stream(w, r)
			end(w)
		}), onPipe)
		got := s.goGet(s.client(), "/events")
		<-entered
		time.Sleep(time.Second)
		s.mustStopIn(0, grace+atOnce)
		(<-got).wantNone(t)
		if r := s.wantReport(want); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
		if st := s.Stats(); st.Ended != uint64(want.ended) || st.Failed != uint64(want.failed) {
			t.Errorf("Stats() = %+v, want %+v", st, want)
		}
		log := s.errors.String()
		if has := strings.Contains(log, "on purpose") && strings.Contains(log, "panicOnPurpose"); has != (want.failed > 0) {
			t.Errorf("log = %q, want the panic and its stack in it: %v", log, want.failed > 0)
		}
	}
}

// quickEnough returns a scenario with two requests that have the given age when the drain
// begins, or come so late: one takes 240 ms more, and one as long as it may.
func quickEnough(late, age time.Duration, flushes bool) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		const left = 250 * ms
		entered, ended := make(chan struct{}, 2), make(chan time.Time, 2)
		s := start(t, m, endOnDrain(func(w http.ResponseWriter, r *http.Request) {
			if flushes {
				w.(http.Flusher).Flush()
			}
			entered <- struct{}{}
			wait := age + left - 10*ms
			if r.URL.Path == "/slow" {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				io.WriteString(w, "answered")
			case <-r.Context().Done():
				ended <- time.Now()
				panic(http.ErrAbortHandler)
			}
		}), onPipe, idleGrace(time.Second))
		sendQuick, sendSlow := s.sender("/quick", late > 0), s.sender("/slow", late > 0)
		send := func() (<-chan reply, <-chan reply) {
			a, b := sendQuick(), sendSlow()
			<-entered
			<-entered
			return a, b
		}
		var a, b <-chan reply
		if late == 0 {
			a, b = send()
			time.Sleep(age)
		}
		done := s.stopIn(0)
		if late > 0 {
			time.Sleep(late)
			a, b = send()
		}
		from := time.Now()
		(<-a).want(t, "answered")
		(<-b).wantNone(t)
		took(t, "the end of the slow one", (<-ended).Sub(from), left-atOnce, left+atOnce)
		wantStopped(t, done)
		s.wantReport(account{answered: 1, ended: 1})
	}
}

// sender returns a function that sends a GET request for path: on a connection that is
// open already, or on a new one if it may still be made then.
func (s *server) sender(path string, isOpen bool) func() <-chan reply {
	if !isOpen {
		return func() <-chan reply { return s.goGet(s.client(), path) }
	}
	c := s.raw()
	return func() <-chan reply {
		got := make(chan reply, 1)
		go func() {
			c.get(path)
			got <- c.reply(http.MethodGet)
		}()
		return got
	}
}

func TestEndOnDrainOfNil(t *testing.T) {
	for name, h := range map[string]http.Handler{"Nil": nil, "NilFunc": http.HandlerFunc(nil)} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v, _ := recover().(string); !strings.Contains(v, "EndOnDrain of a nil handler") {
					t.Errorf("EndOnDrain(nil) panics with %q, want it named", v)
				}
			}()
			fxshutdown.EndOnDrain(h)
		})
	}
}
