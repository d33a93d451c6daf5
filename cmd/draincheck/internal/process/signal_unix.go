//go:build unix

package process

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// signals are those that people stop, reload and upgrade servers with.
var signals = map[string]syscall.Signal{
	"ABRT":  syscall.SIGABRT,
	"ALRM":  syscall.SIGALRM,
	"CONT":  syscall.SIGCONT,
	"HUP":   syscall.SIGHUP,
	"INT":   syscall.SIGINT,
	"KILL":  syscall.SIGKILL,
	"QUIT":  syscall.SIGQUIT,
	"TERM":  syscall.SIGTERM,
	"TTIN":  syscall.SIGTTIN,
	"TTOU":  syscall.SIGTTOU,
	"URG":   syscall.SIGURG,
	"USR1":  syscall.SIGUSR1,
	"USR2":  syscall.SIGUSR2,
	"WINCH": syscall.SIGWINCH,
}

// Real-time signals as the C library numbers them on Linux, which keeps two for itself.
const (
	rtMin = 34
	rtMax = 64
)

// ParseSignal turns "TERM", "SIGTERM", "term", "15" or, on Linux, "RTMIN+3" into a
// signal.
func ParseSignal(name string) (os.Signal, error) {
	short := strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if sig, ok := signals[short]; ok {
		return sig, nil
	}
	if n, err := strconv.Atoi(short); err == nil && n >= 1 && n <= rtMax {
		return syscall.Signal(n), nil
	}
	if runtime.GOOS == "linux" {
		if n, ok := realTime(short); ok {
			return syscall.Signal(n), nil
		}
	}
	return nil, fmt.Errorf("unknown signal %q: want a number from 1 to %d, RTMIN+n, or one of %s", name, rtMax,
		strings.Join(slices.Sorted(maps.Keys(signals)), ", "))
}

// realTime reads RTMIN, RTMIN+3 or RTMAX-1.
func realTime(name string) (int, bool) {
	base, rest, sign := rtMin, "", 1
	switch {
	case strings.HasPrefix(name, "RTMIN"):
		rest = strings.TrimPrefix(name, "RTMIN")
	case strings.HasPrefix(name, "RTMAX"):
		base, rest, sign = rtMax, strings.TrimPrefix(name, "RTMAX"), -1
	default:
		return 0, false
	}
	if rest == "" {
		return base, true
	}
	if rest[0] != '+' && rest[0] != '-' || (rest[0] == '-') != (sign < 0) {
		return 0, false
	}
	n, err := strconv.Atoi(rest[1:])
	if err != nil || n < 0 || n > rtMax-rtMin {
		return 0, false
	}
	return base + sign*n, true
}

// SignalName is the name of a signal as people write it: "SIGTERM", "SIGRTMIN+3".
func SignalName(sig os.Signal) string {
	for name, s := range signals {
		if s == sig {
			return "SIG" + name
		}
	}
	n, ok := sig.(syscall.Signal)
	switch {
	case ok && runtime.GOOS == "linux" && n == rtMin:
		return "SIGRTMIN"
	case ok && runtime.GOOS == "linux" && n > rtMin && n <= rtMax:
		return fmt.Sprintf("SIGRTMIN+%d", int(n)-rtMin)
	case ok:
		return fmt.Sprintf("signal %d", int(n))
	}
	return sig.String()
}
