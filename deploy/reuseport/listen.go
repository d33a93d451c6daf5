//go:build unix

package reuseport

import (
	"context"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen opens a listener on a port that other processes of the same user share, for
// fxhttp.WithListener.
func Listen(network, addr string) (net.Listener, error) {
	lc := net.ListenConfig{Control: Control}
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), network, addr)
}

// Control is that of a net.ListenConfig.
func Control(_, _ string, c syscall.RawConn) error {
	var err error
	if controlErr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); controlErr != nil {
		return controlErr
	}
	return err
}
