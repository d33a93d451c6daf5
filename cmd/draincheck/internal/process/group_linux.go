//go:build linux

package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// groupAlive looks into /proc as well: in a container whose first process does not collect dead orphans they stay in
// the group for ever, and signal 0 reaches the dead, too.
func (p *Process) groupAlive() bool {
	if syscall.Kill(-p.Pid(), 0) == syscall.ESRCH {
		return false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true
	}
	group := []byte(strconv.Itoa(p.Pid()))
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // gone since
		}
		// pid (name) state parent group …, and the name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) > 2 && bytes.Equal(fields[2], group) && fields[0][0] != 'Z' && fields[0][0] != 'X' {
			return true
		}
	}
	return false
}
