package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestMisdirected has servers that answer what nobody expects.
func TestMisdirected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		spec   losing.Spec
		expect string
		want   []string // of the error, none for a verdict
	}{
		{"Broken", losing.Spec{Status: 500}, "2xx,3xx", []string{"keepalive requests answered before the signal", "500 Internal Server Error",
			"fails before it is stopped", "-expect 2xx,3xx,500"}},
		{"NotFound", losing.Spec{Status: 404}, "2xx,3xx", []string{"404 Not Found", "look at the path in -url"}},
		{"Method", losing.Spec{Status: 405}, "2xx,3xx", []string{"-method"}},
		{"Forbidden", losing.Spec{Status: 403}, "2xx", []string{"Authorization"}},
		{"TooMany", losing.Spec{Rate: 10}, "2xx", []string{"429", "limits the rate", "-pause"}},
		{"TooManyIsFine", losing.Spec{Rate: 10}, "2xx,429", nil},
		{"Named", losing.Spec{Status: 404}, "404", nil},
		{"Class", losing.Spec{Status: 404}, "2xx,4xx", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			cfg.KeepAlive, cfg.NewConn = 4, newConn(2)
			cfg, _ = prepare(t, cfg, tt.spec, false)
			cfg.Expect = tt.expect
			res, err := Run(t.Context(), cfg)
			if tt.want == nil {
				if err != nil || res.Verdict != Pass {
					t.Errorf("Run() = %s, %v, want %s", res.Verdict, err, Pass)
				}
				return
			}
			if err == nil || res.Verdict != Error || len(res.Rounds) != 0 {
				t.Fatalf("Run() = %s, %v, want %s", res.Verdict, err, Error)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Run() = %q, want %q in it", err, want)
				}
			}
		})
	}
}

// TestMisdirectedSlow has a slow path that answers at once, and wrongly.
func TestMisdirectedSlow(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg, _ = prepare(t, cfg, losing.Spec{Status: 404}, false)
	cfg.Slow, cfg.SlowPath = 2, "/slowly"
	if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "look at -slow-path") {
		t.Errorf("Run() = %v, want it to name -slow-path", err)
	}
}

// TestStatusOfTheStop has a server that answers 503 once it is told to stop.
func TestStatusOfTheStop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		after   string
		verdict string
	}{
		{"Fails", "", Fail},
		{"Allowed", "503", Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			cfg.KeepAlive, cfg.Slow = 4, 2
			cfg, spec := prepare(t, cfg, losing.Spec{StatusAfter: 503}, false)
			cfg.ExpectAfter, cfg.SlowPath = tt.after, "/slow" // answered after the signal, in any case
			res, _ := check1(t, cfg, spec)
			if n := kindOf(t, res, "slow").Statuses[503]; n.Before != 0 || n.During < 2 {
				t.Errorf("slow 503 = %+v, want 2 or more, during the stop only", n)
			}
			if res.Verdict != tt.verdict || (res.Rounds[0].BadStatus > 0) != (tt.verdict == Fail) {
				t.Errorf("verdict = %s %v, want %s", res.Verdict, res.Rounds[0].Reasons, tt.verdict)
			}
		})
	}
}

func TestNewInTheStop(t *testing.T) {
	expect, after := statusSet{"2xx": true}, statusSet{"503": true}
	for _, tt := range []struct {
		name string
		s    Statuses
		want int
	}{
		{"Nothing", Statuses{200: {100, 10}}, 0},
		{"New", Statuses{200: {100, 10}, 500: {0, 1}}, 1},
		{"Allowed", Statuses{200: {100, 10}, 503: {0, 5}}, 0},
		{"AsBefore", Statuses{200: {900, 90}, 500: {100, 12}}, 0},
		{"FarMoreThanBefore", Statuses{200: {990, 10}, 500: {10, 40}}, 40},
	} {
		if got, _ := newInTheStop(tt.s, expect, after); got != tt.want {
			t.Errorf("%s: newInTheStop() = %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestParseStatuses(t *testing.T) {
	set, err := parseStatuses("2xx, 304,5XX")
	if err != nil || !set.has(204) || !set.has(304) || set.has(301) || !set.has(503) {
		t.Errorf("parseStatuses() = %v, %v", set, err)
	}
	for _, bad := range []string{"2x", "ok", "20", "2000", "099", "2xx;3xx"} {
		if _, err := parseStatuses(bad); err == nil {
			t.Errorf("parseStatuses(%q) = nil, want an error", bad)
		}
	}
	if got := (Statuses{200: {3, 1}, 204: {1, 0}, 503: {0, 2}}).Classes(); got != "2xx 5, 5xx 2" {
		t.Errorf("Classes() = %q", got)
	}
}

func TestSlowLimit(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 2
	cfg, spec := prepare(t, cfg, losing.Spec{Latency: 60 * time.Millisecond}, false)
	cfg.SlowLimit = 50 * time.Millisecond
	res, _ := check1(t, cfg, spec)
	if res.Total.Slow != res.Total.Answered || res.Verdict != Fail || !strings.Contains(res.Rounds[0].Reasons[0], "longer than 50ms") {
		t.Errorf("slow = %d of %d, %s %v, want all", res.Total.Slow, res.Total.Answered, res.Verdict, res.Rounds[0].Reasons)
	}
}
