//go:build unix

package process

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// isolate gives the command a process group of its own, so that it and all that it starts
// can be ended together, and so that Ctrl-C at the terminal reaches this program only,
// which then decides.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func (p *Process) signal(sig os.Signal, group bool) error {
	if !group || p.attached {
		return p.cmd.Process.Signal(sig)
	}
	err := syscall.Kill(-p.Pid(), sig.(syscall.Signal))
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

func (p *Process) killGroup() {
	// The group goes first: once the command itself is reaped and was the last of its
	// group, another process could take its id, in theory.
	_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
	_ = p.cmd.Process.Kill()
}

func exitSignal(state *os.ProcessState) string {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ws.Signal().String()
	}
	return ""
}

func shell(command string) *exec.Cmd { return exec.Command("sh", "-c", command) }
