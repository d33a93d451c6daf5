//go:build linux

package drain

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// startLosing starts a losing server as a process that draincheck does not know.
func startLosing(t *testing.T, spec *losing.Spec) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), spec.Environ())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-collected
	})
	return cmd
}

func TestPID(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive, cfg.Slow, cfg.SlowPath = 3, 2, "/slow"
	cfg, spec := prepare(t, cfg, losing.Spec{Way: losing.EOF, N: 2, Victim: losing.KeepAlive, After: true}, false)
	server := startLosing(t, spec)
	cfg.Command, cfg.PID = nil, fmt.Sprint(server.Process.Pid)
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := res.Rounds[0]
	if res.Total.Lost != 2 || !r.ExitUnknown || r.Killed || r.Exited <= 0 {
		t.Errorf("round = %+v, want 2 lost and the process ended", r)
	}
	if st := losing.ReadStats(t, spec.Stats); st.Answered != res.Total.Answered {
		t.Errorf("answered = %d, want the server's %d", res.Total.Answered, st.Answered)
	}
}

func TestPIDMissing(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 1
	cfg, _ = prepare(t, cfg, losing.Spec{}, false)
	cfg.Command = nil
	for pid, want := range map[string]string{"1": "want the process id of a server", "999999999": "process 999999999",
		filepath.Join(t.TempDir(), "none"): "no such file"} {
		cfg.PID = pid
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run() with -pid %s = %v, want %q", pid, err, want)
		}
	}
}

// TestStartAndStopCommand has a server that only its own commands start and stop.
func TestStartAndStopCommand(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 3
	cfg, spec := prepare(t, cfg, losing.Spec{Way: losing.Reset, N: 2, Victim: losing.KeepAlive}, false)
	exe := cfg.Command[0]
	pid := filepath.Join(t.TempDir(), "pid")
	cfg.Command, cfg.Rounds, cfg.PID = nil, 2, pid
	cfg.StartCommand = fmt.Sprintf("setsid %s & echo $! > %s; echo started $DRAINCHECK_ROUND >> %s.log", exe, pid, pid)
	cfg.StopCommand = fmt.Sprintf("kill $(cat %s)", pid)
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := os.ReadFile(pid + ".log")
	if res.Total.Lost != 4 || len(res.Rounds) != 2 || string(log) != "started 1\nstarted 2\n" {
		t.Errorf("lost = %d in %d rounds, log %q, want 4 in 2", res.Total.Lost, len(res.Rounds), log)
	}
	losing.WantFree(t, spec.Addr)
}

// proxy is a load balancer of two instances. A careful one asks the other instance where
// one is not to be reached.
func proxy(t *testing.T, first, second string, careful bool) *httptest.Server {
	t.Helper()
	var turn atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		if err != nil && careful {
			return d.DialContext(ctx, network, second)
		}
		return c, err
	}, MaxIdleConnsPerHost: 64}
	p := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		host := first
		if turn.Add(1)%2 == 0 {
			host = second
		}
		r.SetURL(&url.URL{Scheme: "http", Host: host})
		// A connection for each request: what a kept one loses is not what this is about.
		r.Out.Close = true
	}}
	p.ErrorLog = discard
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	t.Cleanup(transport.CloseIdleConnections)
	return srv
}

// TestRoll rolls one of two instances behind a proxy.
func TestRoll(t *testing.T) {
	t.Parallel()
	for _, careful := range []bool{true, false} {
		t.Run(fmt.Sprintf("careful=%v", careful), func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			cfg.KeepAlive = 4
			way := losing.Way("")
			if !careful {
				way = losing.Queued // closes its listener at once, and turns nobody away before
			}
			cfg, spec := prepare(t, cfg, losing.Spec{Way: way}, false)
			second := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(second.Close)
			front := proxy(t, spec.Addr, second.Listener.Addr().String(), careful)
			cfg.Target, cfg.Rounds, cfg.ReadyPath = front.URL, 2, ""
			res, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			r := res.Rounds[0]
			if len(r.Steps) != 2 || r.Steps[1].Ended == nil || *r.Steps[1].ExitCode != 0 || r.Steps[0].PID == r.Steps[1].PID {
				t.Errorf("steps = %+v, want two of a process each", r.Steps)
			}
			if careful && res.Verdict != Pass || !careful && (res.Verdict != Fail || r.BadStatus == 0 || kindOf(t, res, "keepalive").Statuses[502].During == 0) {
				t.Errorf("verdict = %s %v, statuses %v", res.Verdict, r.Reasons, kindOf(t, res, "keepalive").Statuses)
			}
			sum := 0
			for _, b := range r.Timeline.Buckets {
				sum += b.OK + b.Unexpected
			}
			if sum != res.Total.Answered {
				t.Errorf("the timeline has %d answers, want %d", sum, res.Total.Answered)
			}
			losing.WantFree(t, spec.Addr)
		})
	}
}

// TestHandover has a server whose successor takes over at SIGHUP.
func TestHandover(t *testing.T) {
	t.Parallel()
	res, addr, err := handOver(t, true)
	if err != nil {
		t.Fatal(err)
	}
	steps := res.Rounds[0].Steps
	if res.Verdict != Pass || len(steps) != 2 || steps[0].Successor != steps[1].PID || steps[1].Successor == 0 {
		t.Errorf("verdict = %s %v, steps %+v, want a chain of successors", res.Verdict, res.Rounds[0].Reasons, steps)
	}
	losing.WantFree(t, addr)
}

// A server that just ends at SIGHUP. It is not run beside other tests: their servers might
// get its port, and count as successors.
func TestHandoverToNobody(t *testing.T) {
	if _, _, err := handOver(t, false); err == nil || !strings.Contains(err.Error(), "nobody took over") {
		t.Errorf("Run() = %v, want nobody to take over", err)
	}
}

func handOver(t *testing.T, takesOver bool) (*Result, string, error) {
	t.Helper()
	cfg := off(Default())
	cfg.KeepAlive, cfg.NewConn = 3, 3
	cfg, spec := prepare(t, cfg, losing.Spec{Handover: takesOver}, false)
	cfg.Signal, cfg.Handover, cfg.Rounds, cfg.Ready = "HUP", true, 2, tooShort
	res, err := Run(t.Context(), cfg)
	return res, spec.Addr, err
}

// TestHandoverLeavesTheSuccessor has one that draincheck has not started.
func TestHandoverLeavesTheSuccessor(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 3
	cfg, spec := prepare(t, cfg, losing.Spec{Handover: true}, false)
	server := startLosing(t, spec)
	cfg.Command, cfg.PID, cfg.Signal, cfg.Handover = nil, fmt.Sprint(server.Process.Pid), "HUP", true
	t.Cleanup(func() {
		if l, ok := process.Owner(spec.Addr); ok {
			endDaemon(l.PID)
		}
	})
	res, err := Run(t.Context(), cfg)
	if err != nil || res.Verdict != Pass {
		t.Fatalf("Run() = %s, %v, want %s", res.Verdict, err, Pass)
	}
	l, ok := process.Owner(spec.Addr)
	if !ok || l.PID != res.Rounds[0].Steps[0].Successor {
		t.Fatalf("Owner() = %v, %v, want the successor %d left alone", l, ok, res.Rounds[0].Steps[0].Successor)
	}
	endDaemon(l.PID)
	losing.WantFree(t, spec.Addr)
}

// TestRollWithoutProxy restarts what is loaded: its clients are turned away meanwhile.
func TestRollWithoutProxy(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 2
	cfg, spec := prepare(t, cfg, losing.Spec{Way: losing.Queued}, false)
	pid := filepath.Join(t.TempDir(), "pid")
	cfg.StartCommand = fmt.Sprintf("sleep 0.3; setsid %s & echo $! > %s", cfg.Command[0], pid)
	cfg.Command, cfg.PID, cfg.Target = nil, pid, cfg.URL
	t.Cleanup(func() {
		if l, ok := process.Owner(spec.Addr); ok {
			endDaemon(l.PID)
		}
	})
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	reasons := strings.Join(res.Rounds[0].Reasons, "\n")
	if res.Verdict != Fail || res.Total.RefusedDials == 0 || !strings.Contains(reasons, "connections were refused") {
		t.Errorf("verdict = %s %q, %d refused, want them to fail it", res.Verdict, reasons, res.Total.RefusedDials)
	}
}
