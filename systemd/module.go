package fxhttpsystemd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp"
)

const (
	serversTag = `group:"fxhttp.servers"`
	healthTag  = `group:"fxhttpsystemd.health"`
)

// Module connects an app with systemd; the package comment says how. List it last, after
// every fxhttp.Module and not in an fx.Module. Fx starts hooks in the order in which they
// are listed, and stops them in the opposite order, so READY=1 is then the last step of a
// start, and STOPPING=1 the first step of a stop. The start fails if a server comes later.
//
// Module logs why it does not send WATCHDOG=1, and what it could not send, to the
// *zap.Logger of the graph, or else to slog.Default.
func Module(opts ...Option) fx.Option {
	m := &module{passed: takePassed}
	for i, o := range opts {
		if o == nil {
			return fx.Error(fmt.Errorf("fxhttpsystemd.Module: option %d is nil", i+1))
		}
		o.apply(m)
	}
	if err := errors.Join(m.errs...); err != nil {
		return fx.Error(err)
	}
	return m.options()
}

// Health says whether a part of the app is well: nil if it is. Its context ends when the
// next WATCHDOG=1 is due. While a Health fails, panics or does not return, no WATCHDOG=1 is
// sent, and systemd kills and restarts the service after WatchdogSec=. So use it for what a
// restart repairs, such as a worker that hangs, and not for a database that is gone. Only
// one goroutine calls it, and not during a stop.
type Health func(context.Context) error

// AsHealth adds a [Health] that is built from the graph: constructor returns a Health, or a
// Health and an error.
func AsHealth(constructor any) fx.Option {
	if t := reflect.TypeOf(constructor); t == nil || t.Kind() != reflect.Func || t.NumOut() == 0 || t.Out(0) != reflect.TypeFor[Health]() {
		return fx.Error(fmt.Errorf("fxhttpsystemd.AsHealth: %T is not a constructor of a fxhttpsystemd.Health", constructor))
	}
	return fx.Provide(fx.Annotated{Group: "fxhttpsystemd.health", Target: constructor})
}

// binding is a server that serves a socket.
type binding struct{ server, socket string }

type module struct {
	bindings     []binding
	ownListeners bool
	errs         []error

	passed func() passed
}

func (m *module) options() fx.Option {
	options := []fx.Option{
		// The invokes of an fx.Module come before those of its parent. So problems of the
		// sockets are reported before anything asks for them, in an error that dig does not
		// wrap, and the hook that is appended here stops last.
		fx.Module("fxhttpsystemd",
			fx.Provide(func() *supervisor { return &supervisor{} }),
			fx.Invoke(m.checkSockets, appendFirst)),
	}
	for _, b := range m.bindings {
		options = append(options, m.listen(b))
	}
	options = append(options, fx.Invoke(fx.Annotate(appendLast, fx.ParamTags("", "", serversTag, healthTag, `optional:"true"`))))
	return fx.Options(options...)
}

// checkSockets finds all that is wrong with the sockets.
func (m *module) checkSockets() error {
	var problems []string
	for _, b := range m.bindings {
		ln, err := m.listener(b)
		if err != nil {
			problems = append(problems, err.Error())
		}
		if ln != nil {
			ln.Close()
		}
	}
	if problems == nil {
		return nil
	}
	return errors.New(strings.Join(problems, "; "))
}

// appendFirst appends the hook that stops last: WATCHDOG=1 is sent until then.
func appendFirst(lc fx.Lifecycle, s *supervisor) {
	lc.Append(fx.StopHook(s.end))
}

// appendLast appends the hook that starts last and stops first.
func appendLast(lc fx.Lifecycle, s *supervisor, servers []fxhttp.NamedServer, health []Health, logger *zap.Logger) {
	s.manager = manager{os.Getenv("NOTIFY_SOCKET")}
	s.servers, s.health = slices.Clone(servers), health
	slices.SortFunc(s.servers, func(a, b fxhttp.NamedServer) int { return strings.Compare(a.Name, b.Name) })
	s.log = slog.Warn
	if logger != nil {
		s.log = logger.Sugar().Warnw
	}
	lc.Append(fx.StartStopHook(s.start, s.stop))
}
