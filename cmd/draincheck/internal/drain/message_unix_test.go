//go:build linux

package drain

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// TestDaemon has a command that starts the server and ends.
func TestDaemon(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("no setsid here")
	}
	cfg := off(Default())
	cfg.KeepAlive = 1
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	cfg.Command = append([]string{"sh", "-c", `setsid "$0" &`}, cfg.Command...)
	_, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "run it in the foreground") || !strings.Contains(err.Error(), "(drain.test), which serves now") {
		t.Errorf("Run() = %v, want it to name the daemon", err)
	}
	losing.WantFree(t, spec.Addr)
}

func TestPortTakenNamesItsOwner(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 1
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	l := listen(t, spec.Addr)
	defer l.Close()
	_, err := Run(t.Context(), cfg)
	if want := fmt.Sprintf("process %d (drain.test)", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Run() = %v, want %q in it", err, want)
	}
}

func TestOtherPort(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive = 1
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	cfg.URL, cfg.Ready = "http://127.0.0.1:1/", tooShort
	_, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "it listens on "+spec.Addr) || !strings.Contains(err.Error(), "the command is running, but") {
		t.Errorf("Run() = %v, want %s in it", err, spec.Addr)
	}
}

func TestOwner(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Skipf("cannot listen on %s", addr)
		}
		defer l.Close()
		asked := strings.Replace(l.Addr().String(), "[::]", "127.0.0.1", 1)
		if got, ok := process.Owner(asked); !ok || got.PID != os.Getpid() {
			t.Errorf("Owner(%s) = %v, %v, want this process", asked, got, ok)
		}
	}
}

// TestHolds has a server that ends only when its silent connections do.
func TestHolds(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.KeepAlive, cfg.Silent = 2, 1
	cfg, _ = prepare(t, cfg, losing.Spec{Quiet: time.Hour}, false)
	cfg.Within = 2 * time.Second
	res, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	held := map[string]bool{}
	for _, h := range res.Holds {
		held[h.Kind] = h.Held
		if h.Reason != "" || h.Held && h.Hint() == "" {
			t.Errorf("hold = %v, what helps: %q", h, h.Hint())
		}
	}
	if len(held) != 3 || held[nothing] || !held["silent"] || held["keep-alive"] {
		t.Errorf("holds = %v, want silent connections to hold it, and nothing else", res.Holds)
	}
}
