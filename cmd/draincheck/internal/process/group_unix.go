//go:build unix && !linux

package process

import (
	"errors"
	"syscall"
)

func (p *Process) groupAlive() bool {
	err := syscall.Kill(-p.Pid(), 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
