package fxshutdown

import "syscall"

// On Windows, package syscall has invented values for its E… names; sockets report these.
const (
	errnoInUse   = syscall.Errno(10048) // WSAEADDRINUSE
	errnoRefused = syscall.Errno(10061) // WSAECONNREFUSED
)
