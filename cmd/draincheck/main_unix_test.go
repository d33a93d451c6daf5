//go:build unix

package main

import (
	"bufio"
	"bytes"
	"strings"
	"syscall"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// throughShell is a command that runs the server as a child of a shell, as `go run` and
// `npm start` run theirs.
func throughShell(t *testing.T) []string {
	return []string{"sh", "-c", `"$0"; true`, executable(t)}
}

func TestInterruptLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			spec := losing.Spec{Addr: losing.FreeAddr(t), IgnoreSignal: true}
			cmd := draincheck(t, spec, append(append(against(spec.Addr, "-v", "-load", "1m"), "--"), throughShell(t)...)...)
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(stderr)
			for lines.Scan() && !strings.HasPrefix(lines.Text(), "listening on") {
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			var rest bytes.Buffer
			for lines.Scan() {
				rest.WriteString(lines.Text() + "\n")
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(rest.String(), "interrupted") {
				t.Errorf("exit code %d, want %d and a word about it: %s", code, exitInterrupted, &rest)
			}
			losing.WantFree(t, spec.Addr)
		})
	}
}

// TestShellAroundServer has a shell that dies of the signal and does not pass it on.
func TestShellAroundServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"ServerGoesOn", nil, exitFail, "its port was still served"},
		{"Group", []string{"-group"}, exitPass, "PASS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			spec := losing.Spec{Addr: losing.FreeAddr(t)}
			args := append(append(against(spec.Addr, tt.args...), "--"), throughShell(t)...)
			stdout, stderr, code := outcome(t, draincheck(t, spec, args...))
			if code != tt.code || !strings.Contains(stdout, tt.want) {
				t.Errorf("exit code %d, want %d with %q\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
			losing.WantFree(t, spec.Addr)
		})
	}
}
