package fxshutdown

import (
	"net"
	"syscall"
	"unsafe"
)

// unsent reports whether the kernel still has bytes of nc that its peer has not
// acknowledged (SIOCOUTQ, tcp(7)): whoever is to get them is reading.
func unsent(nc net.Conn) bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var n int32
	var errno syscall.Errno
	err = rc.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	})
	return err == nil && errno == 0 && n > 0
}
