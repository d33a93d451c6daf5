//go:build !linux

package fxshutdown

import "net"

// unsent can ask the kernel on Linux only.
func unsent(net.Conn) bool { return false }
