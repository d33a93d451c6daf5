//go:build windows

package drain

import "syscall"

// The E… names of package syscall are inventions on Windows: sockets report these.
const (
	errnoRefused = syscall.Errno(10061) // WSAECONNREFUSED
	errnoReset   = syscall.Errno(10054) // WSAECONNRESET
	errnoPipe    = syscall.Errno(10053) // WSAECONNABORTED
)
