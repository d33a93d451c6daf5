package main

import (
	"encoding/json"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestExamples checks the servers that README.md shows. They are stopped in the middle of
// slow requests and do nothing about it, so each of those is lost, whatever else is.
func TestExamples(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to die of")
	}
	for _, tt := range []struct {
		name string
		tool string // what it takes to run it
		argv func(t *testing.T, host, port string) []string
	}{
		{"Go", "go", func(t *testing.T, host, port string) []string {
			return []string{buildGoServer(t), "-addr", net.JoinHostPort(host, port)}
		}},
		{"Node", "node", func(_ *testing.T, host, port string) []string {
			return []string{"node", filepath.Join("testdata", "node", "server.mjs"), port, host}
		}},
		{"Python", "python3", func(_ *testing.T, host, port string) []string {
			return []string{"python3", filepath.Join("testdata", "python", "server.py"), port, host}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(tt.tool); err != nil {
				t.Skipf("no %s here", tt.tool)
			}
			addr := losing.FreeAddr(t)
			host, port, _ := net.SplitHostPort(addr)
			res, code := checkExample(t, addr, tt.argv(t, host, port))
			if res.Verdict != drain.Fail || code != exitFail {
				t.Errorf("verdict %s, exit code %d, want %s and %d", res.Verdict, code, drain.Fail, exitFail)
			}
			for _, k := range res.Kinds {
				if k.Name == "slow" && (k.LostBefore != 4 || k.InFlight != 4) {
					t.Errorf("slow = %+v, want its 4 requests lost that were under way at the signal", k)
				}
				if k.Name == "keepalive" && k.Answered == 0 {
					t.Errorf("keepalive = %+v, want answers", k)
				}
			}
			if r := res.Rounds[0]; r.ExitSignal != "terminated" || r.Killed {
				t.Errorf("round = %+v, want the server dead of SIGTERM", r)
			}
		})
	}
	t.Run("GoGraceful", func(t *testing.T) {
		t.Parallel()
		if _, err := exec.LookPath("go"); err != nil {
			t.Skip("no go here")
		}
		addr := losing.FreeAddr(t)
		res, code := checkExample(t, addr, []string{buildGoServer(t), "-addr", addr, "-graceful"})
		// How much it loses is a matter of luck. That the slow requests are answered is
		// not.
		if want := map[bool]int{true: exitPass, false: exitFail}[res.Total.Lost == 0]; code != want {
			t.Errorf("exit code %d with %d lost, want %d", code, res.Total.Lost, want)
		}
		for _, k := range res.Kinds {
			if k.Name == "slow" && (k.Lost != 0 || k.During == nil) {
				t.Errorf("slow = %+v, want them answered after the signal", k)
			}
		}
	})
}

func buildGoServer(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "goserver")
	if out, err := exec.Command("go", "build", "-o", bin, "./testdata/goserver").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

func checkExample(t *testing.T, addr string, argv []string) (res drain.Result, code int) {
	t.Helper()
	args := append([]string{"-url", "http://" + addr + "/", "-slow-path", "/slow", "-ready", "30s", "-json", "--"}, argv...)
	stdout, stderr, code := outcome(t, draincheck(t, losing.Spec{}, args...))
	if err := json.Unmarshal([]byte(stdout), &res); err != nil || res.Error != "" {
		t.Fatalf("no result: %v\n%s%s", err, stdout, stderr)
	}
	return res, code
}
