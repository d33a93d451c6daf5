package fxshutdown_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

type derivationKey struct{}

// derivations are contexts that handlers and middleware derive from a request's.
var derivations = []struct {
	name   string
	derive func(context.Context) (context.Context, context.CancelFunc)
}{
	{"None", func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }},
	{"WithCancel", context.WithCancel},
	{"WithTimeout", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Hour)
	}},
	{"WithValue", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithValue(ctx, derivationKey{}, 1), func() {}
	}},
	{"WithoutCancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithoutCancel(ctx), func() {}
	}},
	{"Nested", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, first := context.WithTimeout(context.WithValue(ctx, derivationKey{}, 1), time.Hour)
		ctx, second := context.WithCancelCause(ctx)
		return ctx, func() { second(nil); first() }
	}},
}

// Draining marks as a stream the request that its context comes from, and no other
// request of the connection.
func TestStreamIsWhoAsked(t *testing.T) {
	for _, d := range derivations {
		t.Run(d.name, func(t *testing.T) {
			bubbles(t, allModes, func(t *testing.T, m mode) {
				entered, leave := make(chan struct{}, 2), make(chan struct{})
				defer close(leave)
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/stream" {
						ctx, cancel := d.derive(r.Context())
						defer cancel()
						fxshutdown.Draining(ctx)
					}
					io.WriteString(w, "part")
					http.NewResponseController(w).Flush()
					entered <- struct{}{}
					<-leave
				}, onPipe, idleGrace(5*time.Millisecond))
				stopDownloadAndStream(t, s, entered)
			})
		})
	}
}

// stopDownloadAndStream stops a server while it answers both on one connection, and
// checks that the stop cut both, and that only the download is an error.
func stopDownloadAndStream(t *testing.T, s *server, entered <-chan struct{}) {
	t.Helper()
	const lost, stream = "/download", "/stream"
	c := s.client()
	for _, path := range []string{lost, stream} {
		s.goGet(c, path)
		receive(t, "the handler", entered)
	}
	err := receive(t, "Stop()", s.stopIn(200*time.Millisecond))
	streams := map[string]bool{}
	for _, r := range s.Report().AbortedRequests {
		streams[r.Path] = r.Stream
	}
	if len(streams) != 2 || streams[lost] || !streams[stream] {
		t.Errorf("Report().Aborted has streams %v, want %s to be none and %s to be one", streams, lost, stream)
	}
	var aborted *fxshutdown.AbortedError
	if !errors.As(err, &aborted) {
		t.Fatalf("Stop() = %v, want an AbortedError", err)
	}
	var paths []string
	for _, r := range aborted.Requests {
		paths = append(paths, r.Path)
	}
	if !slices.Equal(paths, []string{lost}) {
		t.Errorf("Stop() names %q, want %s alone", paths, lost)
	}
}

// Middleware that gives the handler a changed copy of the request changes nothing.
func TestStreamThroughMiddleware(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		entered, leave := make(chan struct{}, 2), make(chan struct{})
		defer close(leave)
		inner := func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stream" {
				fxshutdown.Draining(r.Context())
			}
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			entered <- struct{}{}
			<-leave
		}
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
			defer cancel()
			inner(w, r.Clone(ctx))
		}, onPipe, idleGrace(5*time.Millisecond))
		stopDownloadAndStream(t, s, entered)
	})
}

// Asking with the context of a request that is over does not mark a later request on its
// connection.
func TestStreamAskedLate(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		var first context.Context
		entered, leave := make(chan struct{}, 1), make(chan struct{})
		defer close(leave)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/first" {
				first = context.WithoutCancel(r.Context())
				return
			}
			io.WriteString(w, "part")
			http.NewResponseController(w).Flush()
			fxshutdown.Draining(first)
			entered <- struct{}{}
			<-leave
		}, onPipe, idleGrace(5*time.Millisecond))
		c := s.client()
		s.get(c, "/first").want(t, "")
		s.goGet(c, "/download")
		receive(t, "the handler", entered)
		err := receive(t, "Stop()", s.stopIn(200*time.Millisecond))
		wantCut(t, s, err, "/download")
	})
}

// Whatever context is derived from a request's, Draining returns the same channel, which
// the drain closes.
func TestDrainingOfDerived(t *testing.T) {
	for _, d := range derivations {
		t.Run(d.name, func(t *testing.T) {
			bubbles(t, allModes, func(t *testing.T, m mode) {
				entered := make(chan struct{}, 1)
				s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
					ctx, cancel := d.derive(r.Context())
					defer cancel()
					entered <- struct{}{}
					<-fxshutdown.Draining(ctx)
				}, onPipe, idleGrace(5*time.Millisecond))
				got := s.goGet(s.client(), "/")
				receive(t, "the handler", entered)
				s.mustStop()
				receive(t, "the response", got).want(t, "")
				s.wantReport(account{answered: 1})
			})
		})
	}
}
