//go:build !linux

package load

import (
	"os/exec"
	"time"

	"github.com/fxshutdown/fxhttp/internal/link"
)

// ErrNoLink is the error of OpenLink.
var ErrNoLink = link.ErrUnavailable

// ExecIfAsked does nothing here.
func ExecIfAsked() {}

// A Link does not exist on this system.
type Link struct{}

// OpenLink returns [ErrNoLink].
func OpenLink(time.Duration) (*Link, error) { return nil, ErrNoLink }

// Close is not called.
func (l *Link) Close() {}

func (l *Link) addr() string                             { return "" }
func (l *Link) serverCommand([]string) ([]string, error) { return nil, ErrNoLink }
func (l *Link) runClient(*exec.Cmd) error                { return ErrNoLink }
