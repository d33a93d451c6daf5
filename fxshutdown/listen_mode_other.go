//go:build !unix

package fxshutdown

import (
	"errors"
	"io/fs"
	"net"
)

// hasSocketMode says whether the file of a unix socket has a mode here. Validate refuses
// SocketMode.
const hasSocketMode = false

func listenMode(*net.ListenConfig, string, string, fs.FileMode) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}
