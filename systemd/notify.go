package fxhttpsystemd

import (
	"fmt"
	"net"
	"time"
)

// sendTimeout bounds how long a service manager that does not read can delay a start or a
// stop. daemon.SdNotify of go-systemd waits without a limit.
const sendTimeout = 500 * time.Millisecond

// manager is the service manager's notification socket: sd_notify(3). If the
// name is empty, there is none.
type manager struct{ socket string }

// send sends variables, one a line.
func (m manager) send(state string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("reach the service manager: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}
