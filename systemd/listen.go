package fxhttpsystemd

import (
	"errors"
	"net"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

// listen makes a server serve a socket that systemd owns.
func (m *module) listen(b binding) fx.Option {
	return fx.Options(
		asOption(b.server, func() (fxhttp.Option, error) {
			ln, err := m.listener(b)
			if ln == nil {
				return nothing, err
			}
			return fxhttp.WithListener(ln), nil
		}),
		asOption(b.server, func() fxhttp.Option {
			if m.listensByItself() {
				return nothing
			}
			return fxhttp.WithListenerOwned(func() bool { return false })
		}),
	)
}

// nothing is an option that sets nothing.
var nothing = fxhttp.WithConfig(fxhttp.Config{})

func asOption(server string, constructor any) fx.Option {
	if server == "" {
		return fxhttp.ProvideOption(constructor)
	}
	return fxhttp.ProvideNamedOption(server, constructor)
}

// listener returns the server's listener, nil if the server listens by itself.
func (m *module) listener(b binding) (net.Listener, error) {
	if m.listensByItself() {
		return nil, nil
	}
	return m.passed().listener(b.socket)
}

func (m *module) listensByItself() bool {
	return m.ownListeners && errors.Is(m.passed().none, ErrNotActivated)
}
