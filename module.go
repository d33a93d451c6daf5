package fxhttp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Module provides an *http.Server and the [fxshutdown.Server] that runs it:
// OnStart listens and serves, OnStop drains.
//
// The handler is the first of these that exists: the one that an fx.Invoke or an
// fx.Decorate assigned to the Handler of the *http.Server, the handler of [WithHandler],
// the http.Handler of the graph, and, with [WithDefaultServeMux], http.DefaultServeMux.
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
// listed. A handler assigned by an invoke is in time too if the invoke is listed before
// Module in the same fx.Module, or in a child module. An invoke that comes later assigns
// too late; the server warns about it when it starts.
//
// A server of [WithStopLast] appends its hook before all others. Each Module adds a
// [NamedServer] to the value group "fxhttp.servers".
//
// If the options themselves contain errors, Module returns an fx.Option that fails the
// app with them. What the Config and the options built from the graph add is checked when
// Module's turn among the invokes comes.
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

	name := nameTag(m.name)
	optional := name + ` optional:"true"`
	scope := "fxhttp"
	httpServer := any(newHTTPServerWithoutWithName)
	if m.name != "" {
		scope += "/" + m.name
		httpServer = fx.Annotate(newHTTPServer, fx.ParamTags(name), fx.ResultTags(name))
	}
	handler := fx.Annotate(newGraphHandler, fx.ParamTags(optional), fx.ResultTags(name))
	if m.hasHandler {
		handler = fx.Annotate(noGraphHandler, fx.ResultTags(name))
	}
	return fx.Options(
		// Nothing is fx.Private here: Fx does not see a cycle that leads through private
		// constructors, and would follow it until the stack overflows. Unexported types
		// keep the rest private.
		fx.Module(scope, fx.Provide(
			// First, and without fx.Annotate if the server has no name: an app that
			// already has an *http.Server, or has two unnamed Modules, then gets an
			// error that shows the constructor's name.
			httpServer,
			fx.Annotate(newSurroundings, fx.ResultTags(name)),
			fx.Annotate(newMistakes, fx.ParamTags(optional, `optional:"true"`, optional, optional), fx.ResultTags(name)),
			fx.Annotate(newSomeConfig, fx.ParamTags(name), fx.ResultTags(name)),
			fx.Annotate(m.newSettings, fx.ParamTags(name, name, optional, optional, groupTag(m.name)), fx.ResultTags(name)),
			fx.Annotate(newServer, fx.ParamTags(name, name), fx.ResultTags(name, groupServers)),
			handler,
			fx.Annotate(newRunner, fx.ParamTags(name, name, name, name), fx.ResultTags(name)),
		)),
		// Not inside the fx.Module: its invokes would run before all those of its parent,
		// and the server would stop after what those construct. Settings would also be
		// read before an earlier invoke could prepare them.
		fx.Invoke(
			fx.Annotate(takeSources, fx.ParamTags(optional, groupTag(m.name), `optional:"true"`, `optional:"true"`)),
			fx.Annotate(checkSettings, fx.ParamTags(name, groupLastSettings)),
		),
		m.appendHook(name),
	)
}

// The tags of what a server takes and provides. Callers have checked the names.

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

// module holds what is known of a server before the graph is built.
type module struct {
	name       string
	opts       []Option
	hasHandler bool
	stopsLast  bool
}

// fromGraph is what every server takes from the graph without a name. Values that have
// the server's name cannot be in an fx.In, whose tags are constants.
type fromGraph struct {
	fx.In

	Shutdowner fx.Shutdowner
	Dot        fx.DotGraph
	Zap        *zap.Logger       `optional:"true"`
	Logger     fxshutdown.Logger `optional:"true"`
}

// surroundings holds a fromGraph for constructors with ParamTags, which cannot take an
// fx.In.
type surroundings struct{ fromGraph fromGraph }

func newSurroundings(in fromGraph) *surroundings { return &surroundings{in} }

// mistakes reports what the app provides although nothing uses it.
type mistakes struct{ err error }

func newMistakes(named, unnamed Option, some *someConfig, pointer *Config) *mistakes {
	for _, o := range []Option{named, unnamed} {
		if o != nil {
			return &mistakes{fmt.Errorf("fxhttp: the app provides %v as a plain value, which nothing uses: "+
				"give its constructor to fxhttp.ProvideOption or fxhttp.ProvideNamedOption instead of fx.Provide", o)}
		}
	}
	if some == nil && pointer != nil {
		return &mistakes{errors.New("fxhttp: the app provides *fxhttp.Config, which nothing uses: provide fxhttp.Config instead")}
	}
	return &mistakes{}
}

// someConfig exists if the graph has a Config, even one that is zero.
type someConfig struct{}

func newSomeConfig(Config) *someConfig { return &someConfig{} }

// newSettings keeps its error in the settings, since dig would print a returned one
// behind hundreds of characters. checkSettings returns it, or newHTTPServer if an earlier
// invoke asks for the server.
func (m *module) newSettings(around *surroundings, wrong *mistakes, cfg Config, some *someConfig, options []Option) *settings {
	in := around.fromGraph
	err := wrong.err
	if err == nil {
		err = m.whyMissing(in, some != nil || cfg != (Config{}))
	}
	if err != nil {
		return &settings{err: err}
	}
	s, err := newSettings(cfg, m.opts, options)
	if err != nil {
		return &settings{err: err}
	}
	s.fromGraph = in
	s.warnings = s.overridden(cfg)
	return s
}

// whyMissing returns an error for what the app provides but Fx has not given. It is worse
// to run with other settings than those that were written than not to run.
func (m *module) whyMissing(in fromGraph, hasConfig bool) error {
	g := parseGraph(in.Dot)
	if !hasConfig {
		if err := g.whyAbsent(keyOf[Config](m.name), "; to run with the default settings, add fx.Supply(fxhttp.Config{})"); err != nil {
			return err
		}
	}
	if in.Zap == nil {
		if err := g.whyUnbuilt(keyOf[*zap.Logger]("")); err != nil {
			return err
		}
	}
	if in.Logger == nil {
		return g.whyUnbuilt(keyOf[fxshutdown.Logger](""))
	}
	return nil
}

// takeSources is an invoke that asks for everything that the settings are made from. If a
// constructor of these fails, dig's error then begins with that constructor, not with the
// path to it.
func takeSources(Config, []Option, *zap.Logger, fxshutdown.Logger) {}

// checkSettings is an invoke, because Fx shows the error of an invoke unchanged. An invoke
// that asks for the server and is listed before Module gets the error from newHTTPServer.
// last holds the settings of the servers that the next invoke constructs.
func checkSettings(s *settings, last []*settings) error {
	for _, s := range append([]*settings{s}, last...) {
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

// newHTTPServerWithoutWithName has its name because dig shows it in the error for an app
// that has another *http.Server without a name.
func newHTTPServerWithoutWithName(s *settings) (*http.Server, error) { return newHTTPServer(s) }

func newHTTPServer(s *settings) (*http.Server, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.httpServer(), nil
}

func newServer(srv *http.Server, s *settings) (*fxshutdown.Server, NamedServer, error) {
	events := &stopRecorder{Logger: s.eventLogger()}
	server, err := fxshutdown.New(srv, s.engineConfig(events))
	if err != nil {
		return nil, NamedServer{}, fmt.Errorf("fxhttp: %s: %w", describe(s.name), err)
	}
	return server, NamedServer{Name: s.name, Server: server, events: events}, nil
}
