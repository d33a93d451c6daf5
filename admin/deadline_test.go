package fxhttpadmin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/admin"
)

// deadlineRecorder records write deadlines, and calls wrote at each write.
type deadlineRecorder struct {
	*httptest.ResponseRecorder
	wrote func()

	mu        sync.Mutex // guards deadlines
	deadlines []time.Time
}

func (r *deadlineRecorder) SetWriteDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadlines = append(r.deadlines, t)
	return nil
}

func (r *deadlineRecorder) Write(b []byte) (int, error) {
	r.wrote()
	return r.ResponseRecorder.Write(b)
}

func (r *deadlineRecorder) last() (t time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.deadlines) == 0 {
		return t, false
	}
	return r.deadlines[len(r.deadlines)-1], true
}

// Long responses set write deadlines of their own, so that a client that does not read
// does not hold a stop, and remove them for the next request on the connection.
func TestWriteDeadlines(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"/events":                          fxhttpadmin.NewPage(),
		"/debug/pprof/trace?seconds=0.001": pprofOn("trace"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
			w.wrote = func() {
				if at, ok := w.last(); !ok || time.Until(at) <= 0 || time.Until(at) > time.Minute {
					t.Errorf("it writes with the deadline %v", at)
				}
			}
			h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, name, nil))
			if at, ok := w.last(); !ok || !at.IsZero() {
				t.Errorf("it leaves the deadline %v behind", at)
			}
		})
	}
}

func pprofOn(profile string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.SetPathValue("profile", profile)
		fxhttpadmin.Pprof().ServeHTTP(w, r)
	})
}
