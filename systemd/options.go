package fxhttpsystemd

import (
	"errors"
	"fmt"
)

// Option is a setting of [Module]. Its String shows it as it was written.
type Option interface {
	fmt.Stringer

	apply(*module)
}

type option struct {
	text string
	set  func(*module) error
}

func (o option) String() string { return "fxhttpsystemd." + o.text }

func (o option) apply(m *module) {
	if err := o.set(m); err != nil {
		m.errs = append(m.errs, fmt.Errorf("%v: %w", o, err))
	}
}

// WithSocket makes the app's unnamed fxhttp server serve the socket of this name, instead
// of the address that other settings give. The name is that of FileDescriptorName= in the
// .socket unit, or if that is not set, the name of the unit, such as "app.socket".
//
// The app fails, with an error that lists the sockets, if there is no socket of this name,
// or more than one, or if the socket does not listen (Accept=yes, ListenDatagram=).
// Default: the server listens by itself.
func WithSocket(name string) Option {
	return socketOption(fmt.Sprintf("WithSocket(%q)", name), binding{socket: name})
}

// WithNamedSocket is [WithSocket] for the fxhttp server of the name server.
func WithNamedSocket(server, socket string) Option {
	o := socketOption(fmt.Sprintf("WithNamedSocket(%q, %q)", server, socket), binding{server: server, socket: socket})
	if server == "" {
		o.set = func(*module) error {
			return errors.New("the server's name is empty: WithSocket is for the server without a name")
		}
	}
	return o
}

func socketOption(text string, b binding) option {
	return option{text, func(m *module) error {
		if b.socket == "" {
			return errors.New("the socket's name is empty")
		}
		for _, other := range m.bindings {
			switch {
			case other.socket == b.socket:
				return fmt.Errorf("the socket %q is taken twice", b.socket)
			case other.server == b.server:
				return fmt.Errorf("the server already has the socket %q", other.socket)
			}
		}
		m.bindings = append(m.bindings, b)
		return nil
	}}
}

// WithOwnListeners lets the servers listen by themselves, at the addresses that their
// settings give, if the process was passed no sockets at all: it was started in a terminal,
// or by a service without a .socket unit. A process that was passed other sockets than it
// asks for still fails. Default: the process fails in both cases.
func WithOwnListeners() Option {
	return option{"WithOwnListeners()", func(m *module) error { m.ownListeners = true; return nil }}
}
