package fxhttptableflip

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
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

func (o option) String() string { return "fxhttptableflip." + o.text }

func (o option) apply(m *module) {
	if err := o.set(m); err != nil {
		m.errs = append(m.errs, fmt.Errorf("%v: %w", o, err))
	}
}

// WithListen makes the app's unnamed fxhttp server listen at this address through the
// upgrader, instead of the address that other settings give. network and addr are those of
// net.Listen; network is tcp, tcp4, tcp6, unix or unixpacket. A successor must give the
// same ones, since it finds its predecessor's socket by them. So port 0 is not allowed. If
// you need a socket option, use [Upgrader.Fds] instead. Default: the server listens by
// itself, and an upgrade fails, since its port is in use.
func WithListen(network, addr string) Option {
	return listenOption(fmt.Sprintf("WithListen(%q, %q)", network, addr), address{network: network, addr: addr})
}

// WithNamedListen is [WithListen] for the fxhttp server of the name server.
func WithNamedListen(server, network, addr string) Option {
	o := listenOption(fmt.Sprintf("WithNamedListen(%q, %q, %q)", server, network, addr), address{server, network, addr})
	if server == "" {
		o.set = func(*module) error {
			return errors.New("the server's name is empty: WithListen is for the server without a name")
		}
	}
	return o
}

func listenOption(text string, a address) option {
	return option{text, func(m *module) error {
		switch a.network {
		case "tcp", "tcp4", "tcp6", "unix", "unixpacket":
		default:
			return fmt.Errorf("the network is %q, want tcp, tcp4, tcp6, unix or unixpacket", a.network)
		}
		if a.addr == "" {
			return errors.New("the address is empty")
		}
		if strings.HasPrefix(a.network, "tcp") && (strings.HasSuffix(a.addr, ":0") || strings.HasSuffix(a.addr, ":")) {
			return errors.New("port 0 gives each process a different port: name a port")
		}
		for _, other := range m.addresses {
			switch {
			case other.server == a.server:
				return fmt.Errorf("the server already listens on %s %s", other.network, other.addr)
			case other.network == a.network && other.addr == a.addr:
				return errors.New("the address is taken twice")
			}
		}
		m.addresses = append(m.addresses, a)
		return nil
	}}
}

// WithPIDFile writes the id of the process that serves to this file, as soon as the process
// is ready. It is for a supervisor, which must not take the end of the old process for the
// end of the service. The file is replaced, so it is never half written, and is not removed
// at the last stop. Default: no file.
func WithPIDFile(path string) Option {
	return option{fmt.Sprintf("WithPIDFile(%q)", path), func(m *module) error {
		if path == "" {
			return errors.New("the path is empty")
		}
		m.tableflip.PIDFile = path
		return nil
	}}
}

// WithUpgradeTimeout limits how long a successor may take until it is ready. After this
// time it is killed, and the old process serves on. Default:
// tableflip.DefaultUpgradeTimeout, a minute.
func WithUpgradeTimeout(d time.Duration) Option {
	return option{fmt.Sprintf("WithUpgradeTimeout(%v)", d), func(m *module) error {
		if d <= 0 {
			return errors.New("a successor needs time to start")
		}
		m.tableflip.UpgradeTimeout = d
		return nil
	}}
}

// WithUpgradeSignals sets the signals that start an upgrade. Without any signal, only
// [Upgrader.Upgrade] starts one. Default: SIGHUP.
func WithUpgradeSignals(signals ...os.Signal) Option {
	return option{fmt.Sprintf("WithUpgradeSignals(%v)", signals), func(m *module) error {
		m.signals = signals
		return nil
	}}
}
