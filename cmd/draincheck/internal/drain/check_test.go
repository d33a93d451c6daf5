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
	cfg.Pool, cfg.Paced, cfg.Continue = 0, 0, 0
	cfg.Silent, cfg.HalfHeader, cfg.Streams, cfg.WebSockets, cfg.H2, cfg.H2C = 0, 0, 0, 0, 0, 0
	return cfg
}

// onlyHTTP2 is a load of n connections with HTTP/2 and nothing else, and the name of
// their kind.
func onlyHTTP2(https bool, n int) (cfg Config, kind string) {
	cfg = off(Default())
	if https {
		cfg.H2 = n
		return cfg, "h2"
	}
	cfg.H2C = n
	return cfg, "h2c"
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

// check1 runs a check and compares its accounts with the server's.
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

// newConn is a number of new-connection clients for a test that must lose nothing by
// accident. Only on Linux can the server turn connections away without resetting one
// now and then.
func newConn(n int) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	return n
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
	if !strings.Contains(strings.Join(r.Reasons, ""), "still running 300ms after the signal, and was killed") {
		t.Errorf("reasons = %v, want one that says so", r.Reasons)
	}
	if runtime.GOOS != "windows" && r.ExitSignal != "killed" {
		t.Errorf("exit signal = %q, want killed", r.ExitSignal)
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

// A scheme may be in upper case: RFC 3986, section 3.1.
func TestSchemeInUpperCase(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.H2 = 2
	cfg, spec := prepare(t, cfg, losing.Spec{}, true)
	cfg.URL = strings.Replace(cfg.URL, "https:", "HTTPS:", 1)
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
