//go:build !linux

package fxshutdown

import "net"

func kernelOf(net.Listener) kernel { return nil }
