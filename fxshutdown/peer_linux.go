package fxshutdown

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// unsent reports whether the kernel still has bytes of nc that its peer has not
// acknowledged (SIOCOUTQ, tcp(7)): whoever is to get them is reading.
func unsent(nc net.Conn) bool {
	n, known := unsentBytes(nc)
	return known && n > 0
}

// unsentBytes returns how many they are.
func unsentBytes(nc net.Conn) (n int32, known bool) {
	return askSocket(nc, syscall.TIOCOUTQ)
}

// unread reports whether the kernel has bytes of nc's peer that nobody has read
// (SIOCINQ, tcp(7)). Of what is no socket that is not known, and so it may.
func unread(nc net.Conn) bool {
	n, known := askSocket(nc, syscall.TIOCINQ)
	return !known || n > 0
}

// askSocket returns what an ioctl says of a socket.
func askSocket(nc net.Conn, request uintptr) (n int32, known bool) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0, false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var errno syscall.Errno
	err = rc.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&n)))
	})
	return n, err == nil && errno == 0
}

// roundTrip returns how long a packet to nc's peer and the answer take, zero if that is
// not known, or is less than some milliseconds: the kernel's retransmission timeout is
// that and, by default, 200 ms or more, rounded up to a tick (TCP_RTO_MIN in
// include/net/tcp.h).
func roundTrip(nc net.Conn) (d time.Duration) {
	const (
		timeout = 8 / 4 // tcpi_rto, in microseconds
		least   = 204 * time.Millisecond
	)
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	rc.Control(func(fd uintptr) {
		if info, err := tcpInfo(fd); err == nil {
			d = max(time.Duration(info[timeout])*time.Microsecond-least, 0)
		}
	})
	return d
}
