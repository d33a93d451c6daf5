package fxshutdown

import "syscall"

// The E… names of package syscall are inventions on Windows: sockets report these.
const (
	errnoInUse   = syscall.Errno(10048) // WSAEADDRINUSE
	errnoRefused = syscall.Errno(10061) // WSAECONNREFUSED
)
