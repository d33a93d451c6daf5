package fxshutdown_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// streamScenarios are about responses that do not end on their own.
var streamScenarios = []scenario{
	{"EndsWhenDraining", sockets, allModes, func(t *testing.T, m mode) {
		const n = 5
		entered := make(chan struct{}, n)
		s := start(t, m, sse(entered, func(r *http.Request) { <-fxshutdown.Draining(r.Context()) }))
		var replies []<-chan reply
		for range n {
			replies = append(replies, s.goGet(s.client(), "/events"))
			receive(t, "the handler", entered)
		}
		s.mustStop()
		for _, r := range replies {
			receive(t, "the client", r).want(t, event1)
		}
		if r := s.wantReport(account{answered: n}); !r.Graceful() {
			t.Errorf("Report() = %+v, want graceful", r)
		}
	}},

	// A stream that was told to end, and does not, is cut and reported, but is not an
	// error.
	{"ToldAndStays", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, sse(entered, func(r *http.Request) {
			fxshutdown.Draining(r.Context())
			<-r.Context().Done()
			time.Sleep(5 * time.Second)
		}), onPipe)
		got := s.goGet(s.client(), "/events")
		<-entered
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil: a stream is not an error", err)
		}
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		if r := <-got; r.err == nil {
			t.Errorf("the stream ended with %q and no error, want it cut off", r.body)
		}
		r := s.wantReport(account{aborted: 1})
		if r.Graceful() || !r.AbortedRequests[0].Stream || !errors.Is(r.Forced, fxshutdown.ErrBudget) {
			t.Errorf("Report() = %+v, want a stream cut by ErrBudget", r)
		}
		if s.Err() != nil {
			t.Errorf("Err() = %v, want nil", s.Err())
		}
		event[*fxshutdown.RequestAborted](s)
	}},

	// A stream that ends when its context does is answered, in the force window.
	{"EndsWithContext", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, sse(entered, func(r *http.Request) { <-r.Context().Done() }), onPipe)
		got := s.goGet(s.client(), "/events")
		<-entered
		d, err := s.timeStop(10 * time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		// The response could not say close, so an HTTP/1 client may send one more
		// request.
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		(<-got).want(t, event1)
		s.wantReport(account{answered: 1, cancelled: 1})
	}},

	// A handler that asked but sent nothing, or sent but did not ask, serves a request,
	// not a stream.
	{"AskedOnly", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			fxshutdown.Draining(r.Context())
			entered <- struct{}{}
			time.Sleep(5 * time.Second)
		}, onPipe)
		s.goGet(s.client(), "/poll")
		<-entered
		_, err := s.timeStop(time.Second)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/poll")
	}},

	{"SentOnly", bubbles, allModes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, sse(entered, func(r *http.Request) { time.Sleep(5 * time.Second) }), onPipe)
		s.goGet(s.client(), "/report")
		<-entered
		_, err := s.timeStop(time.Second)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/report")
	}},

	// On HTTP/2, only the request that asked is a stream, not the others of its
	// connection, whether it asked with its own context or with a derived one.
	{"OthersBeside/Own", bubbles, h2Modes, othersBeside(func(ctx context.Context) context.Context {
		return ctx
	})},
	{"OthersBeside/Value", bubbles, h2Modes, othersBeside(func(ctx context.Context) context.Context {
		return context.WithValue(ctx, derivedKey{}, "v")
	})},
	{"OthersBeside/Cancel", bubbles, h2Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, sse(entered, func(r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			fxshutdown.Draining(ctx)
			time.Sleep(5 * time.Second)
		}), onPipe)
		s.goGet(s.client(), "/events")
		<-entered
		if _, err := s.timeStop(time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil: it is a stream", err)
		}
		s.wantReport(account{aborted: 1})
	}},

	// A request that was answered long ago counts as answered, even if a stream that is
	// cut keeps its HTTP/2 connection active.
	{"AnsweredBeside", bubbles, h2Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		events := sse(entered, func(r *http.Request) {
			fxshutdown.Draining(r.Context())
			time.Sleep(5 * time.Second)
		})
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/quick" {
				hello(w, r)
				return
			}
			events(w, r)
		}, onPipe)
		c := s.client()
		s.goGet(c, "/events")
		<-entered
		s.get(c, "/quick").want(t, "hello")
		time.Sleep(time.Second)
		if _, err := s.timeStop(time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil: only a stream was cut", err)
		}
		s.wantReport(account{aborted: 1})
	}},

	// A stream that ends does not disturb the HTTP/2 streams beside it.
	{"ManyStreams", sockets, h2Modes, func(t *testing.T, m mode) {
		const n = 64
		entered := make(chan struct{}, n)
		s := start(t, m, sse(entered, func(r *http.Request) { <-fxshutdown.Draining(r.Context()) }))
		c := s.client()
		var replies []<-chan reply
		for range n {
			replies = append(replies, s.goGet(c, "/events"))
		}
		for range n {
			receive(t, "the handler", entered)
		}
		s.mustStop()
		for _, r := range replies {
			receive(t, "the client", r).want(t, event1)
		}
		s.wantReport(account{answered: n})
	}},
}

// event1 is what sse sends.
const event1 = "data: 1\n\n"

// TestDraining is about the channel for handlers.
// derivedKey is a key of a context that a handler derives from its own.
type derivedKey struct{}

// othersBeside returns a scenario with two streams on a connection. One of them asks for
// Draining with a context that derive has made from its own.
func othersBeside(derive func(context.Context) context.Context) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		entered := make(chan struct{}, 2)
		s := start(t, m, sse(entered, func(r *http.Request) {
			if r.URL.Path == "/events" {
				fxshutdown.Draining(derive(r.Context()))
			}
			time.Sleep(5 * time.Second)
		}), onPipe)
		c := s.client()
		for _, path := range []string{"/events", "/download"} {
			s.goGet(c, path)
			<-entered
		}
		_, err := s.timeStop(time.Second)
		wantAborted(t, "Stop()", err, fxshutdown.ErrBudget, "/download")
		s.wantReport(account{aborted: 2})
	}
}
