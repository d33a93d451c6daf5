package fxhttpsystemd

import (
	"os"
	"syscall"
)

// isListening reports whether f is a socket that listens. Package net makes a listener of
// a connection, too, and only its Accept fails.
func isListening(f *os.File) bool {
	listens := 0
	rc, err := f.SyscallConn()
	if err != nil {
		return false
	}
	err = rc.Control(func(fd uintptr) {
		listens, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	})
	return err == nil && listens != 0
}
