package fxhttpadmin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// name is the name of the admin server. The tags of what it provides contain it.
const name = "admin"

const (
	nameTag    = `name:"admin"`
	checksTag  = `group:"fxhttpadmin.checks"`
	serversTag = `group:"fxhttp.servers"`
)

// Module adds the admin server; the package comment says what it serves. It is an
// fxhttp.Module with the name "admin" and fxhttp.WithStopLast, and takes and provides
// what such a Module does, including its http.Handler, which an fx.Decorate may wrap.
//
// What a [Check] needs is constructed before the hook of the first server is appended, so
// it starts before all servers and stops after them. When a check begins to fail, or
// passes again, the *zap.Logger of the graph, or else slog.Default, logs that once.
func Module(opts ...Option) fx.Option {
	s := &settings{checkTimeout: DefaultCheckTimeout}
	for i, o := range opts {
		if o == nil {
			return fx.Error(fmt.Errorf("fxhttpadmin.Module: option %d is nil", i+1))
		}
		o.apply(s)
	}
	if err := errors.Join(s.errs...); err != nil {
		return fx.Error(err)
	}
	server := append([]fxhttp.Option{fxhttp.WithName(name), fxhttp.WithStopLast(), fxhttp.WithDefaultAddr(DefaultAddr)}, s.server...)
	return fx.Options(
		fx.Module("fxhttpadmin", fx.Provide(
			fx.Annotate(s.newRoutes, fx.ParamTags("", serversTag, checksTag, `optional:"true"`)),
			fx.Annotate(func(r *routes) http.Handler { return r.mux }, fx.ResultTags(nameTag)),
		)),
		// An invoke returns the error, because Fx would show that of a constructor behind
		// the path to it.
		fx.Invoke(func(r *routes) error { return r.err }),
		fxhttp.Module(server...),
		fx.Invoke(fx.Annotate(s.warnIfExposed, fx.ParamTags("", nameTag, `optional:"true"`))),
	)
}

// routes holds what the admin server serves, or the reason why it cannot.
type routes struct {
	mux *http.ServeMux
	err error
}

// AsCheck adds a [Check] that is built from the graph: constructor returns a Check, or a
// Check and an error. The Check joins the value group "fxhttpadmin.checks", which Module
// takes.
func AsCheck(constructor any) fx.Option {
	if t := reflect.TypeOf(constructor); t == nil || t.Kind() != reflect.Func || t.NumOut() == 0 || t.Out(0) != reflect.TypeFor[Check]() {
		return fx.Error(fmt.Errorf("fxhttpadmin.AsCheck: %T is not a constructor of an fxhttpadmin.Check", constructor))
	}
	return fx.Provide(fx.Annotated{Group: "fxhttpadmin.checks", Target: constructor})
}

func (s *settings) newRoutes(lc fx.Lifecycle, servers []fxhttp.NamedServer, checks []Check, logger *zap.Logger) *routes {
	mux := http.NewServeMux()
	ready, err := Ready(ReadyConfig{
		Servers:      servers,
		Checks:       checks,
		CheckTimeout: s.checkTimeout,
		Log:          checkLog(logger),
	})
	if err != nil {
		return &routes{mux, err}
	}
	mux.Handle("/livez", Live())
	mux.Handle("/readyz", ready)
	mux.Handle("/readyz/{name...}", ready)
	mux.Handle("/stats", Stats(servers...))

	guard := loopbackHosts
	if s.auth != nil {
		guard = s.auth
	}
	guarded := func(pattern string, h http.Handler) { mux.Handle(pattern, guard(h)) }
	if s.requests {
		guarded("/requests", Requests(servers...))
	}
	if s.pprof {
		guarded("/debug/pprof/{$}", Pprof())
		guarded("/debug/pprof/{profile}", Pprof())
	}
	if s.retire {
		guarded("/retire", Retire(servers...))
	}
	if s.page {
		page := NewPage(servers...)
		keepHistory(lc, page)
		guarded("/{$}", page)
		guarded("/events", page)
	}
	return &routes{mux, nil}
}

// warnIfExposed logs a warning, once the server listens, if anybody who can reach it may
// use routes that are only for operators.
func (s *settings) warnIfExposed(lc fx.Lifecycle, server *fxshutdown.Server, logger *zap.Logger) {
	routes := s.operatorsRoutes()
	if s.auth != nil || len(routes) == 0 {
		return
	}
	lc.Append(fx.StartHook(func() {
		addr, ok := server.Addr().(*net.TCPAddr)
		if !ok || addr.IP.IsLoopback() {
			return
		}
		msg := fmt.Sprintf("fxhttpadmin: anybody who can reach %v can use %s: listen on a loopback address, or add fxhttpadmin.WithAuth",
			addr, strings.Join(routes, ", "))
		if logger != nil {
			logger.Warn(msg)
		} else {
			slog.Warn(msg)
		}
	}))
}

// operatorsRoutes returns the routes that WithAuth guards.
func (s *settings) operatorsRoutes() (routes []string) {
	for _, r := range []struct {
		on    bool
		route string
	}{{s.page, "/"}, {s.requests, "/requests"}, {s.pprof, "/debug/pprof/"}, {s.retire, "/retire"}} {
		if r.on {
			routes = append(routes, r.route)
		}
	}
	return routes
}

// keepHistory makes the page record the history for as long as the admin server serves.
func keepHistory(lc fx.Lifecycle, page *Page) {
	var cancel context.CancelFunc
	var running sync.WaitGroup
	lc.Append(fx.StartStopHook(
		func() {
			var ctx context.Context
			ctx, cancel = context.WithCancel(context.Background())
			running.Go(func() { page.Run(ctx) })
		},
		func() {
			cancel()
			running.Wait()
		},
	))
}

// checkLog returns the function that logs when a check begins to fail or passes again.
func checkLog(logger *zap.Logger) func(check string, err error) {
	const fails, passes = "readiness check fails", "readiness check passes again"
	if logger != nil {
		return func(check string, err error) {
			if err != nil {
				logger.Warn(fails, zap.String("check", check), zap.Error(err))
				return
			}
			logger.Info(passes, zap.String("check", check))
		}
	}
	return func(check string, err error) {
		if err != nil {
			slog.Warn(fails, "check", check, "error", err)
			return
		}
		slog.Info(passes, "check", check)
	}
}
