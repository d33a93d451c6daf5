//go:build unix

package losing

import "syscall"

func peek(fd uintptr, b []byte) int {
	n, _, _ := syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK)
	return n
}
