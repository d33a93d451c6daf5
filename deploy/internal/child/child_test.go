package child

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func start(t *testing.T, script string) *Process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("has no shell")
	}
	p, err := Start("it", exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// started waits for a line that the script prints when it listens for signals.
func started(t *testing.T, p *Process) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(p.Output(), "started"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not start: %s", p.Output())
		}
	}
}

func TestStop(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		failed       bool
		err          string
	}{
		{"Ends", "trap 'exit 0' TERM; echo started; while :; do sleep 0.01; done", false, ""},
		{"ExitCode", "trap 'exit 3' TERM; echo started; while :; do sleep 0.01; done", true, ""},
		{"DiesOfSignal", "echo started; exec sleep 60", false, "it died: signal: terminated"},
		{"DoesNotEnd", "trap '' TERM; echo started; while :; do sleep 0.01; done", false, "it has not ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, tt.script)
			started(t, p)
			within := 30 * time.Second
			if tt.name == "DoesNotEnd" {
				within = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			took, failed, err := p.Stop(ctx)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("Stop = %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || failed != tt.failed || took <= 0 {
				t.Errorf("Stop = %v, %v, %v, want failed %v", took, failed, err, tt.failed)
			}
		})
	}
}

func TestAwaitEnds(t *testing.T) {
	p := start(t, "echo no such file; exit 1")
	err := p.AwaitPort(t.Context(), "127.0.0.1:1")
	if err == nil || !strings.Contains(err.Error(), "it ended by itself: exit status 1\nno such file") {
		t.Errorf("AwaitPort = %v", err)
	}
}

func TestTail(t *testing.T) {
	var tail tail
	for range 1000 {
		tail.Write([]byte("0123456789"))
	}
	tail.Write([]byte("end"))
	if s := tail.String(); len(s) != tailSize || !strings.HasSuffix(s, "789end") {
		t.Errorf("%d bytes that end in %q", len(s), s[max(0, len(s)-10):])
	}
}

func TestPorts(t *testing.T) {
	ports, err := Ports(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p] || p < firstPort || p >= lastPort {
			t.Errorf("port %d of %v", p, ports)
		}
		seen[p] = true
	}
}
