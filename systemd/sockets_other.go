//go:build !linux

package fxhttpsystemd

import "os"

// isListening is not asked: there is no systemd to pass a socket.
func isListening(*os.File) bool { return true }
