package fxshutdown_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// checkAccount compares the figures of a server that was stopped with each
// other and with what the handlers counted.
func (s *server) checkAccount() {
	s.t.Helper()
	// Handlers that outlive the stop leave InFlight when they return, a moment after
	// their own count says so.
	eventually(s.t, "Stats().InFlight == 0", func() bool { return s.Stats().InFlight == 0 })
	st, r := s.Stats(), s.Report()
	if st.Open() != 0 {
		s.t.Errorf("Stats() after the stop = %+v, want none open", st)
	}
	if st.Accepted != st.Closed {
		s.t.Errorf("Stats() after the stop: Accepted = %d, Closed = %d, want the same", st.Accepted, st.Closed)
	}
	if st.IdleClosed != uint64(r.IdleClosed) || st.IdleClosed+st.Cut > st.Closed {
		s.t.Errorf("Stats() after the stop = %+v, Report().IdleClosed = %d, want as many dropped, and no more ended than closed", st, r.IdleClosed)
	}
	if got := r.Answered + r.Failed + r.Ended + r.Hijacks + r.Aborted; r.Requests != got || r.Undecided != 0 {
		s.t.Errorf("Report().Requests = %d, but Answered %d + Failed %d + Ended %d + Hijacks %d + Aborted %d = %d, Undecided %d",
			r.Requests, r.Answered, r.Failed, r.Ended, r.Hijacks, r.Aborted, got, r.Undecided)
	}
	// After a stop by force, net/http may still be about to call the handler.
	requests, begun := uint64(0), int64(0)
	if !within(func() bool {
		requests, begun = s.Stats().Requests, s.calls.begun.Load()
		return requests == uint64(begun)
	}) {
		s.t.Errorf("Stats().Requests = %d, the handler counted %d", requests, begun)
	}
	if before := s.events.cutWhileServing(); st.Aborted != uint64(r.Aborted+before) {
		s.t.Errorf("Stats().Aborted = %d, Report().Aborted = %d, and %d were cut before the stop", st.Aborted, r.Aborted, before)
	}
	for _, list := range []struct {
		name     string
		requests []fxshutdown.Request
		count    int
	}{{"Aborted", r.AbortedRequests, r.Aborted}, {"Cancelled", r.CancelledRequests, r.Cancelled}, {"HijackedClosed", r.HijackedClosedRequests, r.HijackedClosed}} {
		if len(list.requests) != min(list.count, 100) {
			s.t.Errorf("Report().%s lists %d, want the oldest of %d, at most 100", list.name, len(list.requests), list.count)
		}
	}
	if got := s.calls.panicked.Load() + s.calls.short.Load(); st.Failed+st.Aborted+st.Ended < uint64(got) || st.Failed > uint64(got) {
		s.t.Errorf("Stats().Failed = %d, Aborted = %d and Ended = %d, the handler counted %d panics and short responses", st.Failed, st.Aborted, st.Ended, got)
	}
	eventually(s.t, fmt.Sprintf("ConnState saw %d new connections, as Stats().Accepted", st.Accepted), func() bool {
		return st.Accepted == uint64(s.states.count(http.StateNew))
	})
}

// account holds the figures of a Report that a test knows in advance.
type account struct{ answered, failed, ended, hijacked, aborted, cancelled, cut int }

// wantReport compares the report with what the test itself did.
func (s *server) wantReport(want account) fxshutdown.Report {
	s.t.Helper()
	r := s.Report()
	got := account{r.Answered, r.Failed, r.Ended, r.Hijacks, r.Aborted, r.Cancelled, r.HijackedClosed}
	if got != want {
		s.t.Errorf("Report() = %+v, want %+v; all of it: %+v", got, want, r)
	}
	if n := want.answered + want.failed + want.ended + want.hijacked + want.aborted; r.Requests != n {
		s.t.Errorf("Report().Requests = %d, want %d", r.Requests, n)
	}
	return r
}

// wantAborted checks that err names one aborted GET request by method, path and
// age, and its reason.
func wantAborted(t testing.TB, what string, err, reason error, path string) {
	t.Helper()
	var aborted *fxshutdown.AbortedError
	if !errors.As(err, &aborted) {
		t.Errorf("%s = %v, want an *AbortedError", what, err)
		return
	}
	if !errors.Is(err, reason) || !errors.Is(err, fxshutdown.ErrStopping) {
		t.Errorf("%s = %v, want it to be %v", what, err, reason)
	}
	if len(aborted.Requests) != 1 || aborted.Requests[0].Method != http.MethodGet || aborted.Requests[0].Path != path || aborted.Requests[0].Age <= 0 {
		t.Errorf("%s: Requests = %v, want GET %s with its age", what, aborted.Requests, path)
	}
	if text := err.Error(); !strings.Contains(text, "GET") || !strings.Contains(text, path) {
		t.Errorf("%s = %q, want method and path in it", what, text)
	}
}

// fdsWatched tells whether a running test watches the descriptors of the process. Its
// subtests, which run side by side, share them.
var fdsWatched atomic.Bool

// watchFDs checks, at the end of the test, that the test has left no socket open.
func watchFDs(t testing.TB) {
	if !fdsWatched.CompareAndSwap(false, true) {
		return
	}
	fds := openFDs(t)
	t.Cleanup(func() {
		checkFDs(t, fds)
		fdsWatched.Store(false)
	})
}

// openFDs counts the descriptors of the process that are sockets.
func openFDs(t testing.TB) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(name, "socket:") {
			n++
		}
	}
	return n
}

// checkFDs checks that no more sockets are open than before, when openFDs counted them.
// Clients close theirs in the background.
func checkFDs(t testing.TB, before int) {
	t.Helper()
	now := 0
	eventually(t, "open sockets are back to what they were", func() bool {
		now = openFDs(t)
		return now <= before
	})
	if now > before {
		t.Errorf("open sockets = %d, %d before the test", now, before)
	}
}
