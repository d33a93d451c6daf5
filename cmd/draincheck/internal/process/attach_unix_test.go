//go:build unix

package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunShell(t *testing.T) {
	var out strings.Builder
	if err := RunShell(t.Context(), `echo "got $A"; echo wrong >&2`, []string{"A=b"}, &out); err != nil || out.String() != "got b\nwrong\n" {
		t.Errorf("RunShell() = %v, printed %q", err, &out)
	}
	err := RunShell(t.Context(), "echo no such thing; exit 3", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "no such thing") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("RunShell() = %v, want its code and what it said", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := RunShell(ctx, "sleep 60", nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("RunShell() = %v, want %v", err, context.DeadlineExceeded)
	}
}

// TestRunShellLeavesADaemonItsOutput has a command that goes on printing in the
// background.
func TestRunShellLeavesADaemonItsOutput(t *testing.T) {
	done := t.TempDir() + "/done"
	if err := RunShell(t.Context(), `(sleep 0.2; echo late && echo later && touch `+done+`) &`, nil, nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(done); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("what it left in the background could not print")
		}
	}
}

func TestAttach(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Attach(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Attached() || p.Pid() != cmd.Process.Pid || p.Descendants() {
		t.Errorf("Attach() = %+v", p)
	}
	// It is let go, not killed.
	p.Kill()
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("after Kill the process is gone: %v", err)
	}
	if p, err = Attach(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGTERM, true); err != nil {
		t.Fatal(err)
	}
	<-p.Exited()
	cmd.Wait()
	if _, err := Attach(cmd.Process.Pid); err == nil {
		t.Errorf("Attach(%s) = nil of a process that is gone", strconv.Itoa(cmd.Process.Pid))
	}
}
