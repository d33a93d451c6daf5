//lint:file-ignore SA1019 the successors are in another module, for one call

//go:build linux

package losing

import (
	"net"
	"syscall"
)

// turnAway makes the kernel drop the first packet of new connections, so that a listener
// can be emptied and closed without resetting a client that believes it is connected.
// Such clients try again a second later, and are refused.
func turnAway(l *net.TCPListener) {
	const (
		flags   = 13   // the flags' offset in a TCP header
		synMask = 0x12 // SYN and ACK
		syn     = 0x02 // SYN without ACK
	)
	filter := []syscall.SockFilter{
		*syscall.LsfStmt(syscall.BPF_LD|syscall.BPF_B|syscall.BPF_ABS, flags),
		*syscall.LsfStmt(syscall.BPF_ALU|syscall.BPF_AND|syscall.BPF_K, synMask),
		*syscall.LsfJump(syscall.BPF_JMP|syscall.BPF_JEQ|syscall.BPF_K, syn, 0, 1),
		*syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, 0),
		*syscall.LsfStmt(syscall.BPF_RET|syscall.BPF_K, 0xffff),
	}
	rc, err := l.SyscallConn()
	if err != nil {
		panic(err)
	}
	err = rc.Control(func(fd uintptr) {
		if err := syscall.AttachLsf(int(fd), filter); err != nil {
			panic(err)
		}
	})
	if err != nil {
		panic(err)
	}
}
