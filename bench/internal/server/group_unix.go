//go:build unix

package server

import (
	"os/exec"
	"syscall"
)

// isolate gives the program a process group of its own: Ctrl-C reaches the bench only, which then ends the program.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func kill(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	_ = cmd.Process.Kill()
}
