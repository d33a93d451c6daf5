package fxshutdown

import (
	"encoding/binary"
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

// unsentBytes returns how many they are: none if the peer has reset the connection,
// though the kernel goes on counting them.
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

// unread reports whether the kernel has bytes of nc's peer that nobody has read
// (SIOCINQ, tcp(7)). Of what is no socket that is not known, and so it may.
func unread(nc net.Conn) bool {
	n, known := askSocket(nc, syscall.TIOCINQ)
	return !known || n > 0
}

// askSocket returns what an ioctl says of a socket.
func askSocket(nc net.Conn, request uintptr) (n int32, known bool) {
	var errno syscall.Errno
	known = withSocket(nc, func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&n)))
	})
	return n, known && errno == 0
}

// withSocket calls f with the descriptor of a connection that is a socket, and open.
func withSocket(nc net.Conn, f func(fd uintptr)) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	return err == nil && rc.Control(f) == nil
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
	withSocket(nc, func(fd uintptr) {
		if info, err := tcpInfo(fd); err == nil {
			d = max(time.Duration(info[timeout])*time.Microsecond-least, 0)
		}
	})
	return d
}
