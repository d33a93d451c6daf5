package fxshutdown

import (
	"encoding/binary"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// unsent reports whether the kernel still has bytes of nc that its peer has not
// acknowledged (SIOCOUTQ, tcp(7)): then the peer is still reading.
func unsent(nc net.Conn) bool {
	n, known := unsentBytes(nc)
	return known && n > 0
}

// unsentBytes returns the number of these bytes: zero if the peer has reset the
// connection, although the kernel goes on counting them.
func unsentBytes(nc net.Conn) (n int32, known bool) {
	n, known = askSocket(nc, syscall.TIOCOUTQ)
	if n > 0 && isReset(nc) {
		n = 0
	}
	return n, known
}

// isReset reports whether a TCP connection is over, as the kernel sees it.
func isReset(nc net.Conn) (reset bool) {
	const closed = 7 // TCP_CLOSE in include/net/tcp_states.h
	withSocket(nc, func(fd uintptr) {
		if info, err := tcpInfo(fd); err == nil {
			var first [4]byte
			binary.NativeEndian.PutUint32(first[:], info[0])
			reset = first[0] == closed // tcpi_state
		}
	})
	return reset
}

// unread reports whether the kernel has bytes of nc's peer that nobody has read (SIOCINQ,
// tcp(7)). For a connection that is not a socket, this is not known, and there may be
// some.
func unread(nc net.Conn) bool {
	n, known := askSocket(nc, syscall.TIOCINQ)
	return !known || n > 0
}

// askSocket returns what an ioctl says about a socket.
func askSocket(nc net.Conn, request uintptr) (n int32, known bool) {
	var errno syscall.Errno
	known = withSocket(nc, func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&n)))
	})
	return n, known && errno == 0
}

// withSocket calls f with the descriptor of a connection that is an open socket.
func withSocket(nc net.Conn, f func(fd uintptr)) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	return err == nil && rc.Control(f) == nil
}

// roundTrip returns how long a packet to nc's peer and the answer take. It computes this
// from the kernel's retransmission timeout, which is the round trip plus, by default, at
// least 200 ms, rounded up to a tick (TCP_RTO_MIN in include/net/tcp.h). It returns zero
// if the round trip is not known, or is less than some milliseconds.
func roundTrip(nc net.Conn) (d time.Duration) {
	const (
		timeout = 8 / 4 // tcpi_rto, in microseconds
		least   = 204 * time.Millisecond
	)
	withSocket(nc, func(fd uintptr) {
		if info, err := tcpInfo(fd); err == nil {
			d = max(time.Duration(info[timeout])*time.Microsecond-least, 0)
		}
	})
	return d
}
