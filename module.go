package fxhttp

import (
	"fmt"
	"log"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Module provides an *http.Server and the [fxshutdown.Server] that runs it:
// OnStart listens and serves, OnStop drains.
//
// The handler is the first of these that exists: what an fx.Invoke or an fx.Decorate
// assigned to the Handler of the *http.Server, the handler of [WithHandler], the
// http.Handler of the graph, and, with [WithDefaultServeMux], http.DefaultServeMux.
// Without any of them, OnStart fails. Until the hook is appended, the server holds a
// stand-in for the graph's handler, so that middleware can wrap it. If there turns out to
// be no handler, the stand-in answers with status 500.
//
// From the graph, Module takes http.Handler, [Config], *zap.Logger and fxshutdown.Logger,
// where they exist, and nothing else. If one of them has a provider that lacks a
// dependency, the app fails and names it.
//
// The server must start after what its handler needs, and stop before it. Fx orders hooks
// as they are constructed, and runs the invokes of a module before those of its parent.
// Module therefore appends its hook in an invoke in the scope where it is listed. By then
// a handler from the graph has been constructed, in whatever order the options are
// listed. So has a handler that was assigned by an invoke that is listed before Module in
// the same fx.Module, or in a child module. An invoke that comes later assigns too late;
// the server warns about it when it starts.
//
// A server of [WithStopLast] appends its hook before all others. Each Module adds a
// [NamedServer] to the value group "fxhttp.servers".
//
// Errors in the options themselves are the error of the fx.Option that Module returns.
// What the Config and the options built from the graph add is checked in the place of
// Module among the invokes.
func Module(opts ...Option) fx.Option {
	m := &module{opts: slices.Clone(opts)}
	for i, opt := range opts {
		if opt == nil {
			return fx.Error(fmt.Errorf("fxhttp.Module: option %d is nil", i+1))
		}
		switch o := opt.option(); {
		case o.name == "WithName" && o.err != nil:
			return fx.Error(fmt.Errorf("fxhttp.Module: %v: %w", o, o.err))
		case o.name == "WithName":
			s := settings{}
			o.apply(&s)
			m.name = s.name
		case o.name == "WithHandler":
			m.hasHandler = true
		case o.name == "WithStopLast":
			m.stopsLast = true
		}
	}
	if err := checkOptions(opts); err != nil {
		return fx.Error(err)
	}

	newRunner := any(m.newRunner)
	if m.hasHandler {
		newRunner = m.newRunnerWithHandler
	}
	name := nameTag(m.name)
	optional := name + ` optional:"true"`
	const unnamed = `optional:"true"` // as loggers are
	scope := "fxhttp"
	if m.name != "" {
		scope += "/" + m.name
	}
	httpServer := any(newHTTPServerWithoutWithName)
	if m.name != "" {
		httpServer = fx.Annotate(newHTTPServer, fx.ParamTags(name, unnamed), fx.ResultTags(name))
	}
	return fx.Options(
		// Nothing is fx.Private here: Fx does not see a cycle that leads through what
		// is, and would follow it until the stack is full. The types are private.
		fx.Module(scope, fx.Provide(
			// The first, and without a name not by fx.Annotate: an app that has an
			// *http.Server already, and one with two Modules, gets an error that shows
			// the constructor's name.
			httpServer,
			fx.Annotate(newSomeConfig, fx.ParamTags(name), fx.ResultTags(name)),
			fx.Annotate(m.newSettings, fx.ParamTags(optional, groupTag(m.name), "", optional, optional, unnamed), fx.ResultTags(name)),
			fx.Annotate(m.newServer, fx.ParamTags(name, name, unnamed, unnamed), fx.ResultTags(name, groupServers)),
			fx.Annotate(newRunner, fx.ParamTags(name, name, name, "", "", unnamed, unnamed, optional), fx.ResultTags(name)),
		)),
		// Not inside of the fx.Module: its invokes would run before all those
		// of its parent, and the server would stop after what they construct. (Settings
		// would be read before an earlier invoke could prepare them.)
		fx.Invoke(fx.Annotate(checkSettings, fx.ParamTags(name, groupLastSettings))),
		m.appendHook(name),
	)
}

// Tags of what a server takes and provides. Names are checked.

func nameTag(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("name:%q", name)
}

func groupTag(name string) string { return fmt.Sprintf("group:%q", group(name)) }

// group is the value group of the options that are built from the graph.
func group(name string) string {
	if name == "" {
		return "fxhttp.options"
	}
	return "fxhttp.options/" + name
}

// module holds what is known of a server before the graph is built. Its methods
// are constructors.
type module struct {
	name       string
	opts       []Option
	hasHandler bool
	stopsLast  bool
}

// someConfig tells a Config in the graph that is zero from none.
type someConfig struct{}

func newSomeConfig(Config) *someConfig { return &someConfig{} }

// newSettings returns no error, which dig would hide behind hundreds of characters: it
// leaves that to checkSettings, and to newHTTPServer if somebody comes before it. stray
// and unnamed are Options that are provided by themselves.
func (m *module) newSettings(cfg Config, options []Option, dot fx.DotGraph, some *someConfig, stray, unnamed Option) *settings {
	for _, o := range []Option{stray, unnamed} {
		if o != nil {
			return &settings{err: fmt.Errorf("fxhttp: %v is provided, but nobody takes an Option from the graph: "+
				"give its constructor to fxhttp.AsOption or AsNamedOption instead of fx.Provide", o)}
		}
	}
	var warnings []string
	if some == nil && cfg == (Config{}) {
		g := parseGraph(dot)
		if err := m.whyNoConfig(g); err != nil {
			return &settings{err: err}
		}
		warnings = orphans(g)
	}
	s, err := newSettings(cfg, m.opts, options)
	if err != nil {
		return &settings{err: err}
	}
	s.warnings = append(warnings, s.overridden(cfg)...)
	return s
}

// checkSettings is an invoke, whose error Fx shows as it is. An invoke that asks for the
// server and is listed before Module gets the error from newHTTPServer. last are those of
// the servers that the next invoke constructs.
func checkSettings(s *settings, last []*settings) error {
	for _, s := range append([]*settings{s}, last...) {
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

// whyNoConfig returns why the graph holds a Config but gives none, if it does.
// Running with other settings than the written ones is worse than not running.
func (m *module) whyNoConfig(g *graph) error {
	key := graphKey(reflect.TypeFor[Config](), m.name)
	if err := g.explain(key); err != nil {
		return fmt.Errorf("fxhttp: %w", err)
	}
	if by := g.provided(key); by != "" {
		return fmt.Errorf("fxhttp: %s cannot be had from its provider %s: it, or what it needs, is private to another module, "+
			"or it is another package's type of that name; to run with the default settings say fx.Supply(fxhttp.Config{})", key, by)
	}
	pointer := graphKey(reflect.TypeFor[*Config](), m.name)
	if by := g.provided(pointer); by != "" {
		return fmt.Errorf("fxhttp: %s provides %s, which nobody takes: provide %s", by, pointer, key)
	}
	return nil
}

// orphans finds Configs of the graph that are for no server, and that no constructor
// asks for: the name of one, or of a server, may be forgotten or misspelt. It is no
// error, since an fx.Invoke may take them, and only a server without a Config asks.
func orphans(g *graph) (warnings []string) {
	config, server := graphKey(reflect.TypeFor[Config](), ""), graphKey(reflect.TypeFor[*http.Server](), "")
	for key, providers := range g.providers {
		tag, ok := strings.CutPrefix(key, config)
		isConfig := ok && (tag == "" || strings.HasPrefix(tag, "[name="))
		if isConfig && len(g.providers[server+tag]) == 0 && !g.wanted[key] && len(providers[0].results) == 1 {
			warnings = append(warnings, fmt.Sprintf("fxhttp: %s provides %s, but there is no %s: "+
				"if it was meant for a server, give it the name of that (WithName)", g.provided(key), key, server+tag))
		}
	}
	slices.Sort(warnings)
	return warnings
}

type httpServerParams struct {
	fx.In

	Settings *settings
	Logger   *zap.Logger `optional:"true"`
}

// newHTTPServerWithoutWithName has this name because dig's error shows it if the app
// has another *http.Server without a name.
func newHTTPServerWithoutWithName(p httpServerParams) (*http.Server, error) {
	return newHTTPServer(p.Settings, p.Logger)
}

func newHTTPServer(s *settings, logger *zap.Logger) (*http.Server, error) {
	if s.err != nil {
		return nil, s.err
	}
	var errorLog *log.Logger
	if logger != nil {
		errorLog, _ = zap.NewStdLogAt(withServer(logger, s.name), zap.WarnLevel) // fails for unknown levels only
	}
	return s.httpServer(errorLog), nil
}

func (m *module) newServer(
	srv *http.Server, s *settings, zapLogger *zap.Logger, logger fxshutdown.Logger,
) (*fxshutdown.Server, NamedServer, error) {
	events := &stopRecorder{Logger: m.logger(s, zapLogger, logger)}
	server, err := fxshutdown.New(srv, s.engineConfig(events))
	if err != nil {
		return nil, NamedServer{}, fmt.Errorf("fxhttp: %s: %w", describe(m.name), err)
	}
	return server, NamedServer{Name: m.name, Server: server, events: events}, nil
}

func (m *module) newRunner(
	srv *http.Server, server *fxshutdown.Server, s *settings, shutdowner fx.Shutdowner, dot fx.DotGraph,
	zapLogger *zap.Logger, logger fxshutdown.Logger, handler http.Handler,
) (*runner, error) {
	if isNilHandler(handler) {
		handler = nil
	}
	if handler == nil {
		if err := explain[http.Handler](dot, m.name); err != nil {
			return nil, err
		}
	}
	r, err := m.newRunnerWithHandler(srv, server, s, shutdowner, dot, zapLogger, logger)
	if err != nil {
		return nil, err
	}
	r.handler = handler
	return r, nil
}

// newRunnerWithHandler does not ask the graph for a handler, which would
// construct one that is not wanted.
func (m *module) newRunnerWithHandler(
	srv *http.Server, server *fxshutdown.Server, s *settings, shutdowner fx.Shutdowner, dot fx.DotGraph,
	zapLogger *zap.Logger, logger fxshutdown.Logger,
) (*runner, error) {
	if zapLogger == nil {
		if err := explain[*zap.Logger](dot, ""); err != nil {
			return nil, err
		}
	}
	if logger == nil {
		if err := explain[fxshutdown.Logger](dot, ""); err != nil {
			return nil, err
		}
	}
	r := &runner{
		name:            m.name,
		srv:             srv,
		server:          server,
		shutdowner:      shutdowner,
		dot:             dot,
		late:            s.late,
		warnings:        s.warnings,
		hasListener:     s.listener != nil,
		defaultServeMux: s.defaultServeMux,
	}
	r.watchSignals(s.unreadySignals, s.forceSignals)
	r.warn = func(msg string) { m.slog(nil).Warn(msg) }
	if zapLogger != nil {
		r.warn = func(msg string) { withServer(zapLogger, m.name).Warn(msg) }
	}
	return r, nil
}

// explain returns why an optional dependency is not there, if the graph shows
// that it should be.
func explain[T any](dot fx.DotGraph, name string) error {
	if err := parseGraph(dot).explain(graphKey(reflect.TypeFor[T](), name)); err != nil {
		return fmt.Errorf("fxhttp: %w", err)
	}
	return nil
}
