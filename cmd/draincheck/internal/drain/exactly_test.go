package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

func TestLosesNothing(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cfg := Default()
			cfg.NewConn = newConn(cfg.NewConn)
			cfg.Pipelined = 2
			cfg.SlowPath, cfg.StreamPath, cfg.WSPath = "/slow", "/events", "/ws"
			cfg, spec := prepare(t, cfg, losing.Spec{}, p.tls)
			cfg.FailOnCut = true
			res, st := check1(t, cfg, spec)
			if res.Verdict != Pass {
				t.Errorf("verdict = %s, want %s: %v", res.Verdict, Pass, res.Rounds[0].Reasons)
			}
			if got, want := res.Total.Sent, st.Received; got != want+res.Total.RefusedStreams+res.Total.BehindClose {
				t.Errorf("sent = %d, want the %d that the server received, %d refused and %d behind close",
					got, want, res.Total.RefusedStreams, res.Total.BehindClose)
			}
			h2 := "h2c"
			if p.tls {
				h2 = "h2"
			}
			for _, name := range []string{"keepalive", "pipelined", h2} {
				if k := kindOf(t, res, name); k.Answered == 0 || k.Before == nil || k.Before.Max < k.Before.P50 {
					t.Errorf("%s = %+v, want answers and their latency", name, k)
				}
			}
			if k := kindOf(t, res, h2+"-slow"); k.InFlight != 4 || k.Answered+k.RefusedStreams != k.Sent {
				t.Errorf("%s-slow = %+v, want 4 under way at the signal, and answered or refused", h2, k)
			}
			if k := kindOf(t, res, "slow"); k.InFlight != 4 || k.During == nil || k.During.Max < 100 {
				t.Errorf("slow = %+v, want all under way at the signal, and answered in their time", k)
			}
			if k := kindOf(t, res, "late"); k.Answered != k.Clients {
				t.Errorf("late = %+v, want all answered", k)
			}
			for _, name := range []string{"stream", h2 + "-stream", "websocket"} {
				if e := kindOf(t, res, name).Ends; e.Opened != 4 || e.Polite != 4 || e.Cut() != 0 {
					t.Errorf("%s = %+v, want 4 polite ends", name, e)
				}
			}
			for _, name := range []string{"silent", "halfheader"} {
				if o := kindOf(t, res, name).Obstacles; o.Held != 2 || len(o.ClosedAfter) != 2 || o.Open != 0 {
					t.Errorf("%s = %+v, want 2 held and closed", name, o)
				}
			}
			if r := res.Rounds[0]; r.PortClosed == nil {
				t.Error("the port was never closed")
			}
		})
	}
}

// TestLosesExactly has servers that lose 3 requests each in a way of their own.
func TestLosesExactly(t *testing.T) {
	t.Parallel()
	const n = 3
	for _, p := range protocols {
		for _, victim := range []string{losing.KeepAlive, losing.NewConn} {
			for _, way := range []struct {
				way   losing.Way
				error string // part of it
			}{
				{losing.Reset, "connection reset"},
				{losing.EOF, "EOF"},
				{losing.HalfHeader, "read response header: EOF"},
				{losing.Truncated, "read response body: unexpected EOF"},
				{losing.ChunkCut, "read response body: unexpected EOF"},
				{losing.Silence, "timeout"},
			} {
				for _, when := range []string{"before", "after"} {
					t.Run(strings.Join([]string{p.name, victim, string(way.way), when}, " "), func(t *testing.T) {
						t.Parallel()
						cfg := off(Default())
						cfg.KeepAlive = 6
						cfg.NewConn = newConn(6)
						if cfg.NewConn == 0 && victim == losing.NewConn {
							t.Skip("new connections are lost by accident on this system")
						}
						cfg, spec := prepare(t, cfg, losing.Spec{Way: way.way, N: n, Victim: victim, After: when == "after"}, p.tls)
						if way.way == losing.Silence {
							cfg.Timeout = 5 * time.Second
						}
						res, st := check1(t, cfg, spec)
						if st.Lost != n || res.Total.Lost != n {
							t.Errorf("lost = %d, server lost %d, want %d", res.Total.Lost, st.Lost, n)
						}
						if k := kindOf(t, res, victim); k.Lost != n {
							t.Errorf("%s lost = %d, want %d", victim, k.Lost, n)
						}
						if res.Verdict != Fail || len(res.Rounds[0].Reasons) != 1 {
							t.Errorf("verdict = %s %v, want %s for one reason", res.Verdict, res.Rounds[0].Reasons, Fail)
						}
						if got, want := res.Total.Sent, st.Received; got != want {
							t.Errorf("sent = %d, want the %d that the server received", got, want)
						}
						losses := res.Rounds[0].Losses
						if len(losses) != n {
							t.Fatalf("%d losses named, want %d", len(losses), n)
						}
						for _, l := range losses {
							if l.Kind != victim || !strings.Contains(l.Error, way.error) || l.Failed < l.Written {
								t.Errorf("loss = %+v, want one of %s with %q", l, victim, way.error)
							}
							if when == "before" && l.Written >= 0 {
								t.Errorf("loss = %+v, want it written before the signal", l)
							}
						}
						if when == "before" && res.Total.LostBefore != n {
							t.Errorf("lost before = %d, want %d", res.Total.LostBefore, n)
						}
					})
				}
			}
		}
	}
}

func TestLosesExactlyHTTP2(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		for _, tt := range []struct {
			way     losing.Way
			n       int
			lost    int
			refused int
			error   string
		}{
			{losing.StreamReset, 3, 3, 0, "RST_STREAM INTERNAL_ERROR"},
			{losing.StreamTruncated, 3, 3, 0, "10 of 100 bytes"},
			{losing.StreamRefused, 3, 0, 3, ""},
			{losing.BelowGoAway, 2, 2, 0, "after GOAWAY (NO_ERROR)"},
			{losing.AboveGoAway, 2, 0, 2, ""},
			{losing.ConnReset, 1, 4, 0, "connection reset"},
		} {
			t.Run(p.name+" "+string(tt.way), func(t *testing.T) {
				t.Parallel()
				cfg, h2 := onlyHTTP2(p.tls, 2)
				cfg, spec := prepare(t, cfg, losing.Spec{Way: tt.way, N: tt.n, Concurrency: cfg.H2Concurrency}, p.tls)
				res, st := check1(t, cfg, spec)
				if res.Total.Lost != tt.lost || st.Lost != tt.lost {
					t.Errorf("lost = %d, server lost %d, want %d", res.Total.Lost, st.Lost, tt.lost)
				}
				// Streams that were sent while GOAWAY was on its way are refused as well,
				// except by the ways that wait until nothing is on its way.
				if got := res.Total.RefusedStreams; got < tt.refused {
					t.Errorf("refused = %d, want %d", got, tt.refused)
				}
				switch tt.way {
				case losing.BelowGoAway, losing.AboveGoAway, losing.ConnReset:
					if got := res.Total.RefusedStreams; got != tt.refused || st.Refused != tt.refused {
						t.Errorf("refused = %d, server refused %d, want exactly %d", got, st.Refused, tt.refused)
					}
				}
				if want := map[bool]string{true: Pass, false: Fail}[tt.lost == 0]; res.Verdict != want {
					t.Errorf("verdict = %s, want %s", res.Verdict, want)
				}
				if k := kindOf(t, res, h2); k.Lost != tt.lost || k.Answered == 0 {
					t.Errorf("%s = %+v, want %d lost and some answered", h2, k, tt.lost)
				}
				for _, l := range res.Rounds[0].Losses {
					if !strings.Contains(l.Error, tt.error) {
						t.Errorf("loss = %+v, want %q", l, tt.error)
					}
				}
			})
		}
	}
}

func TestPipelinedBehindClose(t *testing.T) {
	t.Parallel()
	const n = 3
	cfg := off(Default())
	cfg.Pipelined = 4
	cfg, spec := prepare(t, cfg, losing.Spec{Way: losing.Pipelined, N: n}, false)
	res, _ := check1(t, cfg, spec)
	// After the signal the server says close to the first of each pair, too.
	if k := kindOf(t, res, "pipelined"); k.BehindClose < n || k.Lost != 0 {
		t.Errorf("pipelined = %+v, want at least %d behind close, none lost", k, n)
	}
	if res.Verdict != Pass {
		t.Errorf("verdict = %s, want %s", res.Verdict, Pass)
	}
}
