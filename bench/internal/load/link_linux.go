package load

import (
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/fxshutdown/fxhttp/internal/link"
)

// ErrNoLink is in the error of OpenLink if this machine, or this user, cannot have a link.
var ErrNoLink = link.ErrUnavailable

// ExecIfAsked is how a server gets to its end of a link: it starts as this program. main calls it first.
func ExecIfAsked() { link.ExecIfAsked() }

// A Link is a network link with a round-trip time, between draincheck and the servers.
type Link struct {
	link *link.Link
	port atomic.Int32 // of the last server
}

// OpenLink opens a link. The caller closes it.
func OpenLink(rtt time.Duration) (*Link, error) {
	l, err := link.Open(link.Config{RTT: rtt})
	if err != nil {
		return nil, err
	}
	return &Link{link: l}, nil
}

// Close closes it.
func (l *Link) Close() { l.link.Close() }

// addr is the address of the next server. No other program uses its end.
func (l *Link) addr() string { return l.link.Server.Addr(20000 + int(l.port.Add(1))) }

func (l *Link) serverCommand(argv []string) ([]string, error) { return l.link.Server.Command(argv...) }

func (l *Link) runClient(cmd *exec.Cmd) error {
	if err := l.link.Client.Start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}
