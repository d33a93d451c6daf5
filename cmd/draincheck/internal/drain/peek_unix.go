//go:build unix

package drain

import (
	"net"
	"syscall"
)

// What peek finds in the receive buffer of a socket, without taking anything out of it.
type peeked int

const (
	peekNothing peeked = iota // open, and nothing to read
	peekData                  // something to read
	peekClosed                // the end was reached, or a reset
)

// peek looks into the receive buffer. It goes through Control, not Read, because a
// goroutine that is blocked in Read holds the lock that RawConn.Read wants.
func peek(c net.Conn) peeked {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return peekNothing
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return peekClosed
	}
	state := peekClosed
	err = rc.Control(func(fd uintptr) {
		var b [1]byte
		for {
			n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
			switch {
			case err == syscall.EINTR:
				continue
			case err == syscall.EAGAIN:
				state = peekNothing
			case err == nil && n > 0:
				state = peekData
			}
			return
		}
	})
	if err != nil {
		return peekClosed
	}
	return state
}

// socketReset says whether a reset was received, behind an end of file perhaps.
func socketReset(c net.Conn) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	reset := false
	_ = rc.Control(func(fd uintptr) {
		errno, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		reset = err == nil && (syscall.Errno(errno) == syscall.EPIPE || syscall.Errno(errno) == syscall.ECONNRESET)
	})
	return reset
}
