//go:build !linux

package systemdns

import (
	"context"
	"errors"
)

// Manager is a systemd that runs, which it only does on Linux.
type Manager struct{}

var errOther = errors.New("only Linux has systemd")

// Check says that there can be no systemd.
func Check() error { return errOther }

// Start fails.
func Start(context.Context, string, map[string]string) (*Manager, error) { return nil, errOther }

func (*Manager) Ctl(context.Context, ...string) (string, error)       { return "", errOther }
func (*Manager) Show(context.Context, string, string) (string, error) { return "", errOther }
func (*Manager) Path(name string) string                              { return name }
func (*Manager) Close() (output string)                               { return "" }
