package fxshutdown_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A figure that the log has is in the JSON under the same name.
func TestReportJSONHasTheNamesOfTheLog(t *testing.T) {
	s, _, _ := startHeld(t, h1, "/cut", idleGrace(5*time.Millisecond))
	receive(t, "Stop()", s.stopIn(100*time.Millisecond))
	b, err := json.Marshal(s.Report())
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	_, _, attrs := fxshutdown.Describe(event[*fxshutdown.Stopped](s))
	for _, a := range attrs {
		if _, ok := all[a.Key]; !ok && a.Key != "error" {
			t.Errorf("Report()'s JSON has no %q, which the log has: %s", a.Key, b)
		}
	}
}

// What was written as JSON can be read again; the errors of this package are then the
// same values.
func TestReportJSONReads(t *testing.T) {
	want := fxshutdown.Report{
		Trigger: fxshutdown.TriggerClose, Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Duration: 1500 * time.Millisecond,
		Phases:   []fxshutdown.Phase{{Name: fxshutdown.PhaseDrain, Duration: time.Second}},
		Requests: 2, Answered: 1, Aborted: 1, Served: 7,
		AbortedRequests: []fxshutdown.Request{{Method: "GET", Path: "/", Age: time.Minute}},
		Forced:          fxshutdown.ErrForced,
		ListenerErr:     errors.New("close tcp: oh"),
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"took":"1.5s"`, `{"name":"drain","took":"1s"}`, `"age":"1m0s"`, `"listener_error":"close tcp: oh"`, `"graceful":false`} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("Marshal() = %s\nwant %s in it", text, part)
		}
	}
	var got fxshutdown.Report
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Unmarshal() = %+v, %v\nwant %+v", got, err, want)
	}
	for _, wrong := range []string{`{"took":1}`, `{"took":"soon"}`, `{"phases":[{"took":"soon"}]}`} {
		if err := json.Unmarshal([]byte(wrong), &got); err == nil {
			t.Errorf("Unmarshal(%s) = nil, want an error", wrong)
		}
	}
}

// The figures of a report that is read while the stop runs add up, and so do those of
// Stats.
func TestReportDuringStop(t *testing.T) {
	bubbles(t, allModes, func(t *testing.T, m mode) {
		g := newGate()
		s := start(t, m, g.ServeHTTP, onPipe, idleGrace(5*time.Millisecond))
		c, slow := s.client(), s.client()
		for range 3 {
			s.get(c, "/quick").want(t, "hello")
		}
		synctest.Wait() // a response is read before the server has counted it
		s.goGet(slow, "/slow")
		g.waitEntered(t, 1)
		done := s.stopIn(0)
		synctest.Wait()
		r, st := s.Report(), s.Stats()
		if r.Requests != 1 || r.Undecided != 1 || r.Answered != 0 || r.Served != 3 || r.Graceful() {
			t.Errorf("Report() during the stop = %+v, want one request, undecided, and 3 served", r)
		}
		if st.Requests != 4 || st.Answered != 3 || st.Undecided != 1 {
			t.Errorf("Stats() during the stop = %+v, want 3 of 4 answered and 1 undecided", st)
		}
		g.open()
		wantStopped(t, done)
		if r := s.Report(); r.Requests != 1 || r.Undecided != 0 || r.Answered != 1 || r.Served != 4 || !r.Graceful() {
			t.Errorf("Report() = %+v, want one request, answered, and 4 served", r)
		}
	})
}

func TestStatsHijackedTotal(t *testing.T) {
	s := start(t, h1, func(w http.ResponseWriter, _ *http.Request) { hijackAndClose(w) })
	s.goGet(s.client(), "/")
	eventually(t, "the connection is closed", func() bool { return s.Stats().Closed == 1 })
	if st := s.Stats(); st.Hijacks != 1 || st.Hijacked != 0 || st.Requests != 1 || st.Undecided != 0 {
		t.Errorf("Stats() = %+v, want one request that hijacked, and no connection", st)
	}
}

// However many requests a stop cuts off, its lists, its error and its log are short, and
// its totals are exact.
func TestListsAreBounded(t *testing.T) {
	const n, hijacked = 150, 120
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		defer g.open()
		s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hijack" {
				if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
					t.Errorf("Hijack() = %v", err)
				}
				g.entered <- struct{}{}
				return
			}
			g.ServeHTTP(w, r)
		}, onPipe, idleGrace(5*time.Millisecond))
		s.raw().send("GET /oldest HTTP/1.1\r\nHost: localhost\r\n\r\n")
		g.waitEntered(t, 1)
		time.Sleep(time.Second)
		for i := range n - 1 + hijacked {
			path := "/younger"
			if i >= n-1 {
				path = "/hijack"
			}
			s.raw().send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
			g.waitEntered(t, 1)
		}
		err := receive(t, "Stop()", s.stopIn(10*time.Second))
		r := s.Report()
		if r.Aborted != n || len(r.AbortedRequests) != 100 || r.AbortedRequests[0].Path != "/oldest" {
			t.Errorf("Report() has %d aborted and lists %d, want %d and the 100 oldest", r.Aborted, len(r.AbortedRequests), n)
		}
		if r.HijackedClosed != hijacked || len(r.HijackedClosedRequests) != 100 {
			t.Errorf("Report() has %d cut and lists %d, want %d and 100", r.HijackedClosed, len(r.HijackedClosedRequests), hijacked)
		}
		var aborted *fxshutdown.AbortedError
		if !errors.As(err, &aborted) || aborted.Count != n || len(aborted.Requests) != 100 {
			t.Fatalf("Stop() = %v, want an *AbortedError of %d that lists 100", err, n)
		}
		if text := err.Error(); !strings.Contains(text, "150 requests aborted") || !strings.HasSuffix(text, ", and 140 more") || strings.Count(text, "GET") != 10 {
			t.Errorf("Stop() = %q, want 150, 10 of them named", text)
		}
		event[*fxshutdown.Stopped](s)
		count := map[string]int{}
		for _, name := range s.events.names() {
			count[name]++
		}
		if count["RequestAborted"] != 100 || count["HijackedClosed"] != 100 {
			t.Errorf("events: %v, want 100 requests and 100 connections", count)
		}
		if e := event[*fxshutdown.RequestsCancelled](s); e.Count != n || len(e.Requests) != 100 || e.Requests[0].Path != "/oldest" {
			t.Errorf("RequestsCancelled has %d and lists %d, want %d and the 100 oldest", e.Count, len(e.Requests), n)
		}
		if e := event[*fxshutdown.StillDraining](s); len(e.Requests) != 100 || e.Stats.InFlight != n {
			t.Errorf("StillDraining has %d in flight and lists %d, want %d and 100", e.Stats.InFlight, len(e.Requests), n)
		}
	})
}

// Requests that a stop cancelled, and that ended on their own, are listed and counted.
func TestCancelledAreBounded(t *testing.T) {
	const n = 130
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		s := start(t, h1, func(w http.ResponseWriter, r *http.Request) {
			g.entered <- struct{}{}
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		}, onPipe, idleGrace(5*time.Millisecond), config(func(c *fxshutdown.Config) { c.RequestGrace = time.Second }))
		for range n {
			s.raw().send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		g.waitEntered(t, n)
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if r := s.Report(); r.Cancelled != n || len(r.CancelledRequests) != 100 || r.Answered != n {
			t.Errorf("Report() has %d cancelled, lists %d and has %d answered; want %d, 100, %d", r.Cancelled, len(r.CancelledRequests), r.Answered, n, n)
		}
	})
}
