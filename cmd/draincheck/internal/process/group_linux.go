//go:build linux

package process

import (
	"path/filepath"
	"strconv"
	"syscall"
)

// groupAlive looks into /proc as well: in a container whose first process does not
// collect dead orphans they stay in the group forever, and signal 0 reaches the dead,
// too.
func (p *Process) groupAlive() bool {
	if syscall.Kill(-p.Pid(), 0) == syscall.ESRCH {
		return false
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(dirs) == 0 {
		return true
	}
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		if state, group := stat(pid); group == p.Pid() && state != 0 && state != 'Z' && state != 'X' {
			return true
		}
	}
	return false
}
