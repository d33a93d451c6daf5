//go:build !windows

package fxshutdown

import "syscall"

const (
	errnoInUse   = syscall.EADDRINUSE
	errnoRefused = syscall.ECONNREFUSED
)
