//go:build linux

package process

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listening is the state of a listening socket in /proc/net/tcp.
const listening = "0A"

// A Listener is a listening TCP socket and a process that holds it.
type Listener struct {
	Addr netip.AddrPort
	PID  int
	Name string // of the program
}

// String is how a message names it: "process 42 (nginx)".
func (l Listener) String() string { return fmt.Sprintf("process %d (%s)", l.PID, l.Name) }

// Owner finds a process that listens at addr, a host and port. It finds none that this
// user may not look into.
func Owner(addr string) (Listener, bool) {
	want, err := netip.ParseAddrPort(addr)
	if err != nil {
		return Listener{}, false
	}
	sockets := listeners(func(a netip.AddrPort) bool {
		return a.Port() == want.Port() && (a.Addr() == want.Addr() || a.Addr().IsUnspecified())
	})
	for _, l := range holders(sockets, nil) {
		return l, true
	}
	return Listener{}, false
}

// Listeners are the addresses at which the process and what it started listen.
func (p *Process) Listeners() []Listener {
	return holders(listeners(func(netip.AddrPort) bool { return true }), func(pid int) bool {
		return pid == p.Pid() || processGroup(pid) == p.Pid()
	})
}

// listeners maps inodes of listening sockets to their addresses.
func listeners(want func(netip.AddrPort) bool) map[string]netip.AddrPort {
	found := map[string]netip.AddrPort{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) < 10 || fields[3] != listening {
				continue
			}
			if addr, ok := parseAddr(fields[1]); ok && want(addr) {
				found[fields[9]] = addr
			}
		}
		f.Close()
	}
	return found
}

// parseAddr reads an address as /proc/net/tcp has it: words of four bytes in the
// processor's order, a colon and the port.
func parseAddr(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	n, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(net.IP(b))
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
}

// holders finds the processes that hold the sockets, of those that want names.
func holders(sockets map[string]netip.AddrPort, want func(pid int) bool) []Listener {
	if len(sockets) == 0 {
		return nil
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*/fd")
	var found []Listener
	seen := map[string]bool{}
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if want != nil && !want(pid) {
			continue
		}
		fds, _ := os.ReadDir(dir)
		for _, fd := range fds {
			link, _ := os.Readlink(filepath.Join(dir, fd.Name()))
			inode, ok := strings.CutPrefix(link, "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			addr, listens := sockets[inode]
			if !ok || !listens || seen[inode] {
				continue
			}
			seen[inode] = true
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			found = append(found, Listener{Addr: addr, PID: pid, Name: string(bytes.TrimSpace(name))})
		}
	}
	return found
}

// processGroup is the group of a process, 0 if it is gone.
func processGroup(pid int) int {
	state, group := stat(pid)
	if state == 0 {
		return 0
	}
	return group
}

// stat returns the state letter of a process and its group, 0 if it is gone.
func stat(pid int) (state byte, group int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// pid (name) state parent group …, and the name may hold anything.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 3 {
		return 0, 0
	}
	group, _ = strconv.Atoi(string(fields[2]))
	return fields[0][0], group
}

// alive says whether a process is there and has not ended. One that has ended and was not
// collected by its parent is still to be seen.
func alive(pid int) bool {
	state, _ := stat(pid)
	return state != 0 && state != 'Z' && state != 'X'
}
