package fxshutdown

import (
	"os"
	"syscall"
)

// ignoreSYNs makes the kernel ignore new handshakes on a listening TCP socket,
// while those under way finish. Without it a queue that clients fill faster than
// it is emptied never runs empty, and what is in it when the socket is closed is
// reset. A client whose SYN is ignored sends it again after a second
// (RFC 6298, section 2.1) and is refused then, or reaches another process that
// listens on the port.
//
// Multipath TCP refuses socket filters, which is why Start listens with plain TCP. Some
// kernels refuse them to a process without CAP_NET_ADMIN (seen on 6.18.44).
func (s *socket) ignoreSYNs() error {
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
	err := s.Control(func(fd uintptr) {
		//lint:ignore SA1019 its successor is another module, for one call
		attached = syscall.AttachLsf(int(fd), filter)
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("attach a filter", attached)
}

// hearSYNs takes the filter away.
func (s *socket) hearSYNs() {
	s.Control(func(fd uintptr) {
		//lint:ignore SA1019 its successor is another module, for one call
		syscall.DetachLsf(int(fd))
	})
}
