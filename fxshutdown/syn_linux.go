package fxshutdown

import (
	"net"
	"syscall"
)

// ignoreSYNs makes the kernel ignore new handshakes on a listening TCP socket,
// while those under way finish. Without it a queue that clients fill faster than
// it is emptied never runs empty, and what is in it when the socket is closed is
// reset. A client whose SYN is ignored sends it again after a second
// (RFC 6298, section 2.1) and is refused then, or reaches another process that
// listens on the port.
//
// It reports whether it worked. Multipath TCP refuses socket filters, which is
// why Start listens with plain TCP.
func ignoreSYNs(l net.Listener) bool {
	tl, ok := l.(*net.TCPListener)
	if !ok {
		return false
	}
	rc, err := tl.SyscallConn()
	if err != nil {
		return false
	}
	// Classic BPF over the TCP header: flags is its byte 13.
	const (
		flags  = 13
		synAck = 0x12
		syn    = 0x02
	)
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_B | syscall.BPF_ABS, K: flags},
		{Code: syscall.BPF_ALU | syscall.BPF_AND | syscall.BPF_K, K: synAck},
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: syn},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0xffffffff},
	}
	var attached error
	err = rc.Control(func(fd uintptr) {
		//lint:ignore SA1019 its successor is another module, for one call
		attached = syscall.AttachLsf(int(fd), filter)
	})
	return err == nil && attached == nil
}
