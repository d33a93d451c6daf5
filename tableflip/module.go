package fxhttptableflip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"

	"github.com/cloudflare/tableflip"
	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp"
)

const serversTag = `group:"fxhttp.servers"`

// Module makes an app upgradable; the package comment says how. It provides the
// [*Upgrader]. List it last, after every fxhttp.Module and not in an fx.Module. Fx starts
// hooks in the order in which they are listed, and stops them in the opposite order, so the
// predecessor is told when the rest of the start is done, and the Upgrader stops first. The
// start fails if a server comes later.
//
// The sockets are opened, or taken over, when the app is built. A process can have only one
// Module, since tableflip allows only one Upgrader. Upgrades, and why they failed, are
// logged to the *zap.Logger of the graph, or else to slog.Default.
func Module(opts ...Option) fx.Option {
	m := &module{signals: []os.Signal{syscall.SIGHUP}}
	for i, o := range opts {
		if o == nil {
			return fx.Error(fmt.Errorf("fxhttptableflip.Module: option %d is nil", i+1))
		}
		o.apply(m)
	}
	if err := errors.Join(m.errs...); err != nil {
		return fx.Error(err)
	}
	return m.options()
}

// address is where a server listens.
type address struct{ server, network, addr string }

type module struct {
	addresses []address
	tableflip tableflip.Options
	signals   []os.Signal
	errs      []error
}

func (m *module) options() fx.Option {
	options := []fx.Option{
		// The invokes of an fx.Module come before those of its parent, and dig does not wrap
		// their errors. So a process that cannot be upgraded, or cannot listen, fails here.
		fx.Module("fxhttptableflip",
			fx.Provide(fx.Annotate(newUpgrader, fx.ParamTags("", `optional:"true"`)), m.newWatch),
			fx.Invoke(m.open, appendFirst)),
	}
	for _, a := range m.addresses {
		options = append(options, a.listen())
	}
	options = append(options, fx.Invoke(fx.Annotate(appendLast, fx.ParamTags("", "", serversTag))))
	return fx.Options(options...)
}

func newUpgrader(shutdowner fx.Shutdowner, logger *zap.Logger) *Upgrader {
	u := &Upgrader{shutdowner: shutdowner, listeners: make(map[address]net.Listener)}
	u.logInfo, u.logError = slog.Info, slog.Error
	if logger != nil {
		u.logInfo, u.logError = logger.Sugar().Infow, logger.Sugar().Errorw
	}
	return u
}

func (m *module) newWatch(u *Upgrader) *watch { return &watch{upgrader: u, signals: m.signals} }

// open opens the sockets, or takes them over.
func (m *module) open(u *Upgrader) error {
	if err := u.open(m.tableflip, m.addresses); err != nil {
		return fmt.Errorf("fxhttptableflip: %w", err)
	}
	return nil
}

// appendFirst appends the hook that stops last.
func appendFirst(lc fx.Lifecycle, u *Upgrader, w *watch) {
	lc.Append(fx.StopHook(func() {
		u.stop() // if the start has failed, the other hook has not stopped it
		w.end()
	}))
}

// appendLast appends the hook that starts last and stops first.
func appendLast(lc fx.Lifecycle, w *watch, servers []fxhttp.NamedServer) {
	lc.Append(fx.StartStopHook(
		func() error {
			for _, s := range servers {
				if s.Server.Addr() == nil {
					return fmt.Errorf("fxhttptableflip: %s would start after the predecessor has been told to go: "+
						"list fxhttptableflip.Module after every fxhttp.Module, and not in an fx.Module", describe(s))
				}
			}
			return w.start()
		},
		w.stop,
	))
}

func describe(s fxhttp.NamedServer) string {
	if s.Name == "" {
		return "the http server"
	}
	return fmt.Sprintf("the http server %q", s.Name)
}

// listen makes the server listen through the upgrader.
func (a address) listen() fx.Option {
	return fx.Options(
		a.asOption(func(u *Upgrader) fxhttp.Option { return fxhttp.WithListener(u.listeners[a]) }),
		a.asOption(func(u *Upgrader) fxhttp.Option { return fxhttp.WithListenerOwned(u.owned.Load) }),
		a.asOption(func(u *Upgrader) fxhttp.Option { return fxhttp.WithListenerHandedOver(u.Upgraded) }),
	)
}

func (a address) asOption(constructor any) fx.Option {
	if a.server == "" {
		return fxhttp.ProvideOption(constructor)
	}
	return fxhttp.ProvideNamedOption(a.server, constructor)
}
