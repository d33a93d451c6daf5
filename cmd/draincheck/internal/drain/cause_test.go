package drain

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// causeOf returns how many requests a result puts down to a cause, and how many in all.
func causeOf(res *Result, cause Cause) (n, all int) {
	for _, c := range res.Causes {
		if c.Cause == cause {
			n += c.Count
		}
		all += c.Count
	}
	return n, all
}

// causeCase is a server that loses n requests in one way, which has one cause.
type causeCase struct {
	cause  Cause
	spec   losing.Spec
	set    func(*Config)
	tls    bool // it can be had over TLS as well
	status int  // that each loss names
}

const lostEach = 3

// TestCauses has servers that lose 3 requests for one cause each, over HTTP/1.1.
func TestCauses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the losing server looks into sockets and queues")
	}
	keepAlive := func(c *Config) { c.KeepAlive = 6 }
	lose := func(way losing.Way) losing.Spec {
		return losing.Spec{Way: way, N: lostEach, Victim: losing.KeepAlive, After: true}
	}
	for _, tt := range []causeCase{
		{Queue, losing.Spec{Way: losing.Queued, N: lostEach, Victim: losing.NewConn, After: true},
			func(c *Config) { c.NewConn = lostEach }, false, 0},
		{Idle, lose(losing.Unread), keepAlive, true, 0},
		{Handler, lose(losing.EOF), keepAlive, true, 0},
		{Response, lose(losing.Truncated), keepAlive, true, 200},
		{Response, lose(losing.ChunkCut), keepAlive, true, 200},
		{Response, lose(losing.HalfHeader), keepAlive, true, 0},
		{Timeout, lose(losing.Silence), func(c *Config) { c.KeepAlive, c.Timeout = 6, 3*time.Second }, true, 0},
	} {
		for _, p := range protocols {
			if p.tls && !tt.tls {
				continue
			}
			t.Run(strings.Join([]string{p.name, string(tt.spec.Way)}, " "), func(t *testing.T) {
				t.Parallel()
				cfg := off(Default())
				tt.set(&cfg)
				cfg, spec := prepare(t, cfg, tt.spec, p.tls)
				res, _ := check1(t, cfg, spec)
				wantCause(t, res, tt.cause)
				for _, l := range res.Rounds[0].Losses {
					if l.Cause != tt.cause || l.LocalPort == 0 || l.Sent == 0 || l.Status != tt.status ||
						(l.Received > 0) != (tt.cause == Response) && !p.tls || !l.FailedAt.After(l.WrittenAt) {
						t.Errorf("loss = %+v, want %s with status %d and what finds it in a capture", l, tt.cause, tt.status)
					}
				}
			})
		}
	}
}

func wantCause(t *testing.T, res *Result, cause Cause) {
	t.Helper()
	if n, all := causeOf(res, cause); n != lostEach || res.Total.Lost != lostEach || n != all && cause != Refused {
		t.Errorf("%s = %d of %d lost, want %d and no other cause: %+v\n%+v", cause, n, res.Total.Lost, lostEach, res.Causes,
			res.Rounds[0].Losses)
	}
	if res.Verdict != Fail {
		t.Errorf("verdict = %s, want %s", res.Verdict, Fail)
	}
}

// TestCausesHTTP2 has them over HTTP/2. Streams that were on their way are refused as
// well, which is no loss.
func TestCausesHTTP2(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the losing server looks into sockets")
	}
	for _, tt := range []struct {
		cause       Cause
		way         losing.Way
		after       bool
		concurrency int
		conns       int
		n           int
		status      int
	}{
		{Idle, losing.Unread, true, 1, 5, lostEach, 0},
		{Handler, losing.BelowGoAway, false, 3, 1, lostEach, 0},
		{Handler, losing.StreamReset, false, 4, 2, lostEach, 0},
		{Response, losing.StreamTruncated, false, 4, 2, lostEach, 200},
	} {
		for _, p := range protocols {
			t.Run(p.name+" "+string(tt.way), func(t *testing.T) {
				t.Parallel()
				cfg, _ := onlyHTTP2(p.tls, tt.conns)
				cfg.Body = strings.Repeat("x", 1000)
				cfg.H2Concurrency = tt.concurrency
				cfg, spec := prepare(t, cfg, losing.Spec{Way: tt.way, N: tt.n, After: tt.after, Concurrency: tt.concurrency}, p.tls)
				res, _ := check1(t, cfg, spec)
				n, all := causeOf(res, tt.cause)
				refused, _ := causeOf(res, Refused)
				if n != lostEach || res.Total.Lost != lostEach || all != n+refused || refused != res.Total.RefusedStreams {
					t.Errorf("%s = %d of %d lost, %d refused, want %d and no other cause: %+v", tt.cause, n, res.Total.Lost, refused,
						lostEach, res.Rounds[0].Losses)
				}
				for _, l := range res.Rounds[0].Losses {
					if l.Cause != tt.cause || l.LocalPort == 0 || l.Stream == 0 || l.Sent == 0 || l.Status != tt.status {
						t.Errorf("loss = %+v, want %s with status %d and what finds it in a capture", l, tt.cause, tt.status)
					}
				}
			})
		}
	}
}

// TestKilledIsNotLost has a server that ignores the signal while slow requests run, which
// it never answers.
func TestKilledIsNotLost(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 2
	cfg, _ = prepare(t, cfg, losing.Spec{IgnoreSignal: true}, false)
	cfg.Slow, cfg.SlowPath = 3, "/slow"
	cfg.Within, cfg.Timeout = 200*time.Millisecond, 4*time.Second
	cfg.Diagnose = false
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := causeOf(res, Killed); n != 3 || res.Total.CutByKill != 3 || res.Total.Lost != 0 || len(res.Rounds[0].NotLost) != 3 {
		t.Errorf("cut = %d, lost = %d, want 3 cut by draincheck: %+v", n, res.Total.Lost, res.Causes)
	}
	if reasons := strings.Join(res.Rounds[0].Reasons, "\n"); !strings.Contains(reasons, "was killed; this cut 3 requests") {
		t.Errorf("reasons = %q, want what was cut", reasons)
	}
	if k := kindOf(t, res, "keepalive"); k.Lost != 0 || k.CutByKill != 0 {
		t.Errorf("keepalive = %+v, want running requests answered before the kill", k)
	}
	if res.Verdict != Fail || !res.Rounds[0].Killed {
		t.Errorf("verdict = %s, want %s and the process killed", res.Verdict, Fail)
	}
}

func TestUnansweredCause(t *testing.T) {
	reset, eof := error(errnoReset), error(errnoPipe)
	for _, tt := range []struct {
		name string
		u    unanswered
		want Cause
	}{
		{"ResetFirst", unanswered{err: reset, unread: true}, Queue},
		{"ResetLater", unanswered{err: reset, unread: true, accepted: true}, Idle},
		{"Read", unanswered{err: eof, accepted: true}, Handler},
		{"ReadFirst", unanswered{err: eof}, Handler},
		{"Begun", unanswered{err: reset, unread: true, begun: true}, Response},
		{"Garbled", unanswered{err: eof, begun: true, garbled: true}, Protocol},
	} {
		if got := tt.u.cause(); got != tt.want {
			t.Errorf("%s: cause() = %s, want %s", tt.name, got, tt.want)
		}
		if what, hint := tt.want.Explain(); what == "" || hint == "" {
			t.Errorf("%s is not explained", tt.want)
		}
	}
}
