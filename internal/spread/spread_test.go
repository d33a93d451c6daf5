package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the server as well.
func TestMain(m *testing.M) {
	serveIfAsked()
	os.Exit(m.Run())
}

func smallRun(t *testing.T, over time.Duration) *result {
	t.Helper()
	o := options{websockets: 70, keepAlive: 30, over: over, addresses: 20}
	if runtime.GOOS == "darwin" {
		o.addresses = 1
	}
	r, err := run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, b := range r.bins {
		all += b.all()
	}
	if all != 100 {
		t.Errorf("%d clients came back, want 100", all)
	}
	return r
}

// A small stop as a test. On a busy machine 100 ms are too short to judge ten clients by:
// the command does that, with more.
func TestSpread(t *testing.T) {
	r := smallRun(t, 2*time.Second)
	half := 0
	for _, b := range r.bins[:10] {
		half += b.all()
	}
	if half < 25 || half > 75 {
		t.Errorf("%d of 100 clients came back in the first half of the spread, want 50 or so", half)
	}
	for _, p := range r.problems() {
		if !strings.HasPrefix(p, "uneven") {
			t.Error(p)
		}
	}
}

func TestWithoutSpread(t *testing.T) {
	for _, p := range smallRun(t, 0).problems() {
		t.Error(p)
	}
}

func TestProblems(t *testing.T) {
	even := make([]bin, 10)
	for i := range even {
		even[i] = bin{webSocket: 7, keepAlive: 3}
	}
	full := append(even[:9:9], bin{webSocket: 14, keepAlive: 6})
	over := append(even[:9:9], bin{webSocket: 14, keepAlive: 7})
	late := append(even[:10:10], bin{webSocket: 21})
	for _, tt := range []struct {
		name   string
		change func(*result)
		want   string // what the only problem begins with; "": none
	}{
		{"even", func(r *result) {}, ""},
		{"twice the share", func(r *result) { r.bins = full }, ""},
		{"more than that", func(r *result) { r.bins = over }, "uneven: 21 came in the 100ms from 900ms on"},
		{"more than that behind the spread", func(r *result) { r.bins = late }, "uneven: 21 came in the 100ms from 1s on"},
		{"no spread", func(r *result) { r.over, r.bins = 0, over }, ""},
		{"a client is lost", func(r *result) { r.lost = []error{io.ErrUnexpectedEOF} }, "lost: unexpected EOF"},
		{"the stop is late", func(r *result) { r.end.Took = r.budget() + 1 }, "the stop took 8"},
		{"the stop fails", func(r *result) { r.end.Err = "why" }, "the stop failed: why"},
	} {
		r := &result{options: options{websockets: 70, keepAlive: 30, over: time.Second}, bins: even}
		tt.change(r)
		got := r.problems()
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want)) {
			t.Errorf("%s: problems() = %q, want one with %q", tt.name, got, tt.want)
		}
	}
}

func TestCount(t *testing.T) {
	began := time.Now()
	r := &result{options: options{over: 250 * time.Millisecond}}
	r.count([]arrival{{webSocket, began}, {keepAlive, began.Add(299 * time.Millisecond)}, {webSocket, began.Add(500 * time.Millisecond)}}, began)
	want := []bin{{1, 0}, {}, {0, 1}, {}, {}, {1, 0}}
	if len(r.bins) != len(want) {
		t.Fatalf("count() made %v, want %v", r.bins, want)
	}
	for i := range want {
		if r.bins[i] != want[i] {
			t.Errorf("count() made %v, want %v", r.bins, want)
		}
	}
}

// Which ends of a connection count as told.
func TestWaitForEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind int
		sent string
		ok   bool
	}{
		{"a WebSocket with a Close frame", webSocket, closeFrame, true},
		{"a WebSocket without one", webSocket, "", false},
		{"a WebSocket with a part of one", webSocket, closeFrame[:2], false},
		{"keep-alive", keepAlive, "", true},
		{"keep-alive with an answer that nobody asked for", keepAlive, "HTTP/1.1 408", false},
	} {
		ours, theirs := net.Pipe()
		go func() {
			io.WriteString(theirs, tt.sent)
			theirs.Close()
		}()
		c := &client{kind: tt.kind, conn: ours, read: bufio.NewReader(ours)}
		if err := c.waitForEnd(); (err == nil) != tt.ok {
			t.Errorf("%s: waitForEnd() = %v", tt.name, err)
		}
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ours.SetReadDeadline(time.Now())
	c := &client{kind: keepAlive, conn: ours, read: bufio.NewReader(ours)}
	if err := c.waitForEnd(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("no end: waitForEnd() = %v, want a timeout", err)
	}
}
