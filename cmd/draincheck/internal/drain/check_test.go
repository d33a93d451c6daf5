package drain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// protocols are the ways to reach the losing server.
var protocols = []struct {
	name string
	tls  bool
}{
	{"http", false},
	{"https", true},
}

// off is a load with nothing in it, for tests that turn on what they are about.
func off(cfg Config) Config {
	cfg.KeepAlive, cfg.NewConn, cfg.Pipelined, cfg.Slow, cfg.Late = 0, 0, 0, 0, 0
	cfg.Silent, cfg.HalfHeader, cfg.Streams, cfg.WebSockets, cfg.H2, cfg.H2C = 0, 0, 0, 0, 0, 0
	return cfg
}

// prepare fills in what all tests need: this binary as a losing server.
func prepare(t *testing.T, cfg Config, spec losing.Spec, https bool) (Config, *losing.Spec) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec.Addr = losing.FreeAddr(t)
	spec.Stats = filepath.Join(t.TempDir(), "stats.json")
	if spec.Quiet == 0 {
		spec.Quiet = 500 * time.Millisecond
	}
	scheme := "http"
	if https {
		scheme = "https"
		spec.Cert, spec.Key = losing.WriteCert(t, spec.Addr)
		cfg.CACert = spec.Cert
	}
	cfg.URL = scheme + "://" + spec.Addr + "/"
	cfg.ReadyPath = "/ready"
	cfg.Command = []string{exe}
	cfg.Env = []string{spec.Environ()}
	cfg.Load = 100 * time.Millisecond
	cfg.Ready = 30 * time.Second
	return cfg, &spec
}

// check runs a check and compares its accounts with the server's.
func check1(t *testing.T, cfg Config, spec *losing.Spec) (*Result, losing.Stats) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	res, err := Run(ctx, cfg)
	if err != nil {
		t.Fatalf("Run() = %v, want no error", err)
	}
	for _, r := range res.Rounds {
		if r.Killed || r.ExitCode != 0 || r.StillOpen || r.LeftBehind {
			t.Fatalf("round = %+v, want a clean exit", r)
		}
	}
	st := losing.ReadStats(t, spec.Stats)
	if got, want := res.Total.Answered, st.Answered; got != want {
		t.Errorf("answered = %d, want the server's %d", got, want)
	}
	if got, want := res.Total.Lost, st.Lost; got != want {
		t.Errorf("lost = %d, want the server's %d; losses: %+v", got, want, res.Rounds[0].Losses)
	}
	if !res.Total.balanced() {
		t.Errorf("total = %+v, want sent to be the sum of the outcomes", res.Total)
	}
	return res, st
}

func kindOf(t *testing.T, res *Result, name string) Kind {
	t.Helper()
	for _, k := range res.Kinds {
		if k.Name == name {
			return k
		}
	}
	t.Fatalf("no kind %q in the result", name)
	return Kind{}
}

// newConn is a number of new-connection clients for a test that must lose nothing by accident. Only on Linux can the
// server turn connections away without resetting one now and then.
func newConn(n int) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	return n
}

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
				cfg := off(Default())
				h2 := "h2c"
				cfg.H2C = 2
				if p.tls {
					h2, cfg.H2, cfg.H2C = "h2", 2, 0
				}
				cfg, spec := prepare(t, cfg, losing.Spec{Way: tt.way, N: tt.n, Concurrency: cfg.H2Concurrency}, p.tls)
				res, st := check1(t, cfg, spec)
				if res.Total.Lost != tt.lost || st.Lost != tt.lost {
					t.Errorf("lost = %d, server lost %d, want %d", res.Total.Lost, st.Lost, tt.lost)
				}
				// Streams that were sent while GOAWAY was on its way are refused as well, except by the ways
				// that wait until nothing is on its way.
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

func TestCutStreams(t *testing.T) {
	t.Parallel()
	const n = 3
	for _, p := range protocols {
		for _, way := range []losing.Way{losing.EOF, losing.Reset} {
			t.Run(p.name+" "+string(way), func(t *testing.T) {
				t.Parallel()
				cfg := off(Default())
				cfg.Streams = 5
				cfg, spec := prepare(t, cfg, losing.Spec{CutStreams: way, Cuts: n}, p.tls)
				cfg.StreamPath = "/events"
				wantCut(t, cfg, spec, "stream", way, n)
			})
			t.Run(p.name+" websocket "+string(way), func(t *testing.T) {
				t.Parallel()
				cfg := off(Default())
				cfg.WebSockets = 5
				cfg, spec := prepare(t, cfg, losing.Spec{CutWebSockets: way, Cuts: n}, p.tls)
				cfg.WSPath = "/ws"
				wantCut(t, cfg, spec, "websocket", way, n)
			})
		}
	}
}

func wantCut(t *testing.T, cfg Config, spec *losing.Spec, kind string, way losing.Way, n int) {
	t.Helper()
	res, _ := check1(t, cfg, spec)
	e := kindOf(t, res, kind).Ends
	eof, reset := n, 0
	if way == losing.Reset {
		eof, reset = 0, n
	}
	if e.Opened != 5 || e.Polite != 5-n || e.EOF != eof || e.Reset != reset || e.Open != 0 || e.CutBefore != 0 {
		t.Errorf("%s = %+v, want %d polite, %d EOF, %d reset", kind, e, 5-n, eof, reset)
	}
	if res.Verdict != Pass {
		t.Errorf("verdict = %s, want %s: cut streams alone do not fail it", res.Verdict, Pass)
	}
	cfg.FailOnCut = true
	strict, _ := check1(t, cfg, spec)
	if strict.Verdict != Fail || !strings.Contains(strings.Join(strict.Rounds[0].Reasons, ""), "3 streams") {
		t.Errorf("verdict = %s %v, want %s with FailOnCut", strict.Verdict, strict.Rounds[0].Reasons, Fail)
	}
}

func TestCutStreamHTTP2(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			kind := "h2c"
			cfg.H2C = 1
			if p.tls {
				kind, cfg.H2, cfg.H2C = "h2", 1, 0
			}
			// Both kinds of streams are on, and which of them is cut is the server's choice: all are.
			cfg.Streams = 2
			cfg, spec := prepare(t, cfg, losing.Spec{CutStreams: losing.Reset, Cuts: 100}, p.tls)
			cfg.StreamPath = "/events"
			res, _ := check1(t, cfg, spec)
			if e := kindOf(t, res, kind+"-stream").Ends; e.Opened != 2 || e.Reset != 2 {
				t.Errorf("%s-stream = %+v, want 2 reset", kind, e)
			}
		})
	}
}

func TestRounds(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 4
	cfg, spec := prepare(t, cfg, losing.Spec{Way: losing.Reset, N: 2, Victim: losing.KeepAlive}, false)
	cfg.Rounds = 3
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rounds) != 3 || res.Total.Lost != 6 || kindOf(t, res, "keepalive").Lost != 6 {
		t.Errorf("%d rounds, %d lost, want 3 and 6", len(res.Rounds), res.Total.Lost)
	}
	if st := losing.ReadStats(t, spec.Stats); st.Answered != res.Rounds[2].Total.Answered {
		t.Errorf("answered in round 3 = %d, want the server's %d", res.Rounds[2].Total.Answered, st.Answered)
	}
}

func TestIgnoresSignal(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 2
	cfg, _ = prepare(t, cfg, losing.Spec{IgnoreSignal: true}, false)
	cfg.Within = 300 * time.Millisecond
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := res.Rounds[0]
	if res.Verdict != Fail || !r.Killed || r.Exited < 300 || r.Exited > 20000 {
		t.Errorf("round = %+v, want it killed after 300ms", r)
	}
	if !strings.Contains(strings.Join(r.Reasons, ""), "still running 300ms after the signal, killed") {
		t.Errorf("reasons = %v, want one that says so", r.Reasons)
	}
	if runtime.GOOS != "windows" && r.ExitSignal != "killed" {
		t.Errorf("exit signal = %q, want killed", r.ExitSignal)
	}
}

// tooShort is long enough for the losing server to start on a busy machine, and so to be found wanting.
const tooShort = 5 * time.Second

// TestCannotCheck has commands and settings that make a check impossible.
func TestCannotCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spec  losing.Spec
		https bool
		set   func(*Config)
		want  []string
	}{
		{"WillNotStart", losing.Spec{}, false, func(c *Config) { c.Command = []string{"./no-such-command"} },
			[]string{"start the command", "no-such-command"}},
		{"NeverAnswers", losing.Spec{Mute: true}, false, func(c *Config) { c.Ready = tooShort },
			[]string{"did not answer", "within 5s (-ready)", "last output", "listening on"}},
		{"NeverListens", losing.Spec{}, false, func(c *Config) {
			c.URL = "http://127.0.0.1:1/"
			c.Ready = tooShort
		}, []string{"did not answer", "refused", "last output"}},
		{"NeverReady", losing.Spec{}, false, func(c *Config) { c.ReadyPath, c.Ready = "/nope", tooShort; c.Env[0] = withStatus(c.Env[0]) },
			[]string{"did not answer", "/nope: answered with status 503, want 2xx"}},
		{"ExitsBeforeReady", losing.Spec{Mute: true, ExitAfter: 200 * time.Millisecond}, false, func(c *Config) {},
			[]string{"exited by itself before it was told to stop (exit code 3)", "exiting by itself"}},
		{"ExitsUnderLoad", losing.Spec{ExitAfter: 2 * time.Second}, false, func(c *Config) { c.Load = time.Minute },
			[]string{"exited by itself before it was told to stop (exit code 3)", "exiting by itself"}},
		{"WrongStreamPath", losing.Spec{Status: 404}, false, func(c *Config) { c.Streams, c.StreamPath = 1, "/nothing" },
			[]string{"stream /nothing: answered with status 404, want 200"}},
		{"WrongWebSocketPath", losing.Spec{}, false, func(c *Config) { c.WebSockets, c.WSPath = 1, "/nothing" },
			[]string{"WebSocket /nothing: answered with status 200, want 101"}},
		{"UnknownAuthority", losing.Spec{}, true, func(c *Config) { c.CACert = "" },
			[]string{"certificate", "-cacert FILE", "-insecure"}},
		{"NotTLS", losing.Spec{}, false, func(c *Config) {
			c.URL = strings.Replace(c.URL, "http:", "https:", 1)
			c.Ready = tooShort
		}, []string{"did not answer", "TLS handshake"}},
		{"NoCAFile", losing.Spec{}, true, func(c *Config) { c.CACert = "no-such-file.pem" }, []string{"-cacert", "no-such-file.pem"}},
		{"NotLoopback", losing.Spec{}, false, func(c *Config) { c.URL = "http://192.0.2.1:8080/" },
			[]string{"192.0.2.1", "not a loopback address"}},
		{"NotLoopback6", losing.Spec{}, false, func(c *Config) { c.URL = "http://[2001:db8::1]:8080/" },
			[]string{"2001:db8::1", "not a loopback address"}},
		{"Unspecified", losing.Spec{}, false, func(c *Config) { c.URL = "http://0.0.0.0:8080/" }, []string{"not a loopback address"}},
		{"PortZero", losing.Spec{}, false, func(c *Config) { c.URL = "http://127.0.0.1:0/" }, []string{"not 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			cfg.KeepAlive = 2
			cfg, _ = prepare(t, cfg, tt.spec, tt.https)
			if tt.spec.Mute {
				cfg.ReadyPath = ""
			}
			tt.set(&cfg)
			res, err := Run(t.Context(), cfg)
			if err == nil || res.Verdict != Error || res.Error != err.Error() {
				t.Fatalf("Run() = %+v, %v, want an error that the result repeats", res, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Run() = %q, want %q in it", err, want)
				}
			}
		})
	}
}

func withStatus(environ string) string {
	return strings.Replace(environ, `"Status":0`, `"Status":503`, 1)
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 1
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	l := listen(t, spec.Addr)
	defer l.Close()
	_, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "something already listens on "+spec.Addr) {
		t.Errorf("Run() = %v, want it to notice the other listener", err)
	}
}

func TestInsecure(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 2
	cfg, spec := prepare(t, cfg, losing.Spec{}, true)
	cfg.CACert, cfg.Insecure = "", true
	check1(t, cfg, spec)
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	l, err := netListen("[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	l.Close()
	cfg := off(Default())
	cfg.KeepAlive = 2
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	_, port, _ := strings.Cut(spec.Addr, ":")
	spec.Addr = "[::1]:" + port
	cfg.Env = []string{spec.Environ()}
	cfg.URL = "http://" + spec.Addr + "/"
	res, _ := check1(t, cfg, spec)
	if res.Address != spec.Addr {
		t.Errorf("address = %s, want %s", res.Address, spec.Addr)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	cfg := Default()
	cfg, spec := prepare(t, cfg, losing.Spec{IgnoreSignal: true}, false)
	cfg.Load = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(p Progress) {
		if p.Phase == "loading" && p.Total.Answered > 0 {
			cancel()
		}
	}
	res, err := Run(ctx, cfg)
	if !errors.Is(err, context.Canceled) || res.Verdict != Error {
		t.Errorf("Run() = %v, verdict %s, want %v", err, res.Verdict, context.Canceled)
	}
	// The port is free again: no process is left that could listen there.
	listen(t, spec.Addr).Close()
}
