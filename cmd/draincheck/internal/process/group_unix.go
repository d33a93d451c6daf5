//go:build unix && !linux

package process

import (
	"errors"
	"syscall"
)

// alive says whether a process is there.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

func (p *Process) groupAlive() bool {
	err := syscall.Kill(-p.Pid(), 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
