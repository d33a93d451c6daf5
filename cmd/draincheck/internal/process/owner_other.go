//go:build !linux

package process

import "net/netip"

// A Listener is a listening TCP socket and a process that holds it.
type Listener struct {
	Addr netip.AddrPort
	PID  int
	Name string // of the program
}

func (l Listener) String() string { return "a process" }

// Owner is known on Linux only.
func Owner(string) (Listener, bool) { return Listener{}, false }

// Listeners are known on Linux only.
func (p *Process) Listeners() []Listener { return nil }
