//go:build !linux

package fxshutdown

import "net"

// quench can make the kernel ignore new handshakes on Linux only.
func quench(net.Listener) bool { return false }
