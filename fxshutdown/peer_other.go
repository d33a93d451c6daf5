//go:build !linux

package fxshutdown

import (
	"net"
	"time"
)

// unsent can ask the kernel only on Linux.
func unsent(net.Conn) bool { return false }

// unsentBytes can ask the kernel only on Linux.
func unsentBytes(net.Conn) (n int32, known bool) { return 0, false }

// unread can ask the kernel only on Linux: elsewhere there may always be something.
func unread(net.Conn) bool { return true }

// roundTrip can ask the kernel only on Linux.
func roundTrip(net.Conn) time.Duration { return 0 }
