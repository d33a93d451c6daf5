package fxhttpotel

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

// Module observes all fxhttp servers of the app with the metric.MeterProvider of the graph,
// or else with the global one. It is an error if the graph has a provider of one but it
// cannot be built.
//
// OnStart registers before the first server starts. OnStop flushes and unregisters after
// the last server has stopped, so the last export contains the whole drain. For this,
// Module constructs the MeterProvider before any server's hook is appended, wherever it is
// listed beside fxhttp.Module. A fxhttp.Module inside an fx.Module must be listed after it,
// otherwise OnStart fails and says so. If the constructor of the MeterProvider appends a
// hook that shuts it down, this hook runs after the flush.
//
// The flush (ForceFlush, if the provider has it) takes at most half of the time that is
// left, and at most 5 s if there is no limit. The time left is what StopReserve of the
// servers leaves. An error of the flush goes to otel.Handle, and does not fail the stop.
func Module() fx.Option {
	return fx.Options(
		// In a module of its own, whose invokes run before those of its parent.
		fx.Module("fxhttpotel", fx.Provide(newObserverOfOneModule), fx.Invoke(func(o *observer) error { return o.err })),
		// Not before those of its parent: whoever takes the servers has their settings read.
		fx.Invoke(fx.Annotate((*observer).take, fx.ParamTags("", `group:"fxhttp.servers"`))),
	)
}

// observer is the Module's hook in the app's lifecycle.
type observer struct {
	provider     metric.MeterProvider // nil: the global one
	servers      []fxhttp.NamedServer
	registration metric.Registration
	err          error // of its constructor: Fx would put the path to it in front
}

type observerParams struct {
	fx.In

	Lifecycle fx.Lifecycle
	Provider  metric.MeterProvider `optional:"true"`
	Graph     fx.DotGraph
}

// newObserverOfOneModule has this name because dig's error shows it if Module is listed
// twice.
func newObserverOfOneModule(p observerParams) *observer {
	o := &observer{provider: p.Provider}
	if p.Provider == nil {
		o.err = whyNoProvider(p.Graph)
	}
	p.Lifecycle.Append(fx.Hook{OnStart: o.start, OnStop: o.stop})
	return o
}

func (o *observer) take(servers []fxhttp.NamedServer) error {
	o.servers = servers
	return checkServers(servers)
}

func (o *observer) start(context.Context) (err error) {
	for _, s := range o.servers {
		if s.Server.Addr() != nil {
			return fmt.Errorf("fxhttpotel: the server %q has started already: it would stop after the last export, which would not contain its drain; "+
				"list fxhttpotel.Module before the fx.Module with the fxhttp.Module of that server", nameOf(s))
		}
	}
	o.registration, err = Register(o.provider, o.servers...)
	return err
}

// maxFlush bounds the flush of a stop that has no limit.
const maxFlush = 5 * time.Second

func (o *observer) stop(ctx context.Context) error {
	provider := o.provider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	if p, ok := provider.(interface{ ForceFlush(context.Context) error }); ok {
		most := maxFlush
		if deadline, ok := ctx.Deadline(); ok {
			most = time.Until(deadline) / 2
		}
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		if err := p.ForceFlush(ctx); err != nil {
			otel.Handle(fmt.Errorf("fxhttpotel: export the last figures: %w", err))
		}
	}
	return o.registration.Unregister()
}

// whyNoProvider returns why the graph gives no MeterProvider, if it looks as if it should.
func whyNoProvider(graph fx.DotGraph) error {
	if provides(graph, reflect.TypeFor[metric.MeterProvider]().String()) {
		return errors.New("fxhttpotel: the app provides a metric.MeterProvider that cannot be used: it is nil, or something that it needs is missing or private to another module, or it is a type of the same name from another package")
	}
	if provides(graph, "*metric.MeterProvider") { // of the SDK
		return errors.New("fxhttpotel: the app provides a *metric.MeterProvider, which fxhttpotel does not take: annotate it with fx.As(new(metric.MeterProvider)), of go.opentelemetry.io/otel/metric; " +
			"add fx.As(fx.Self()) to keep its own type")
	}
	return nil
}

// provides reports whether a constructor of the app provides the type. If the
// provider of an optional dependency cannot be built, Fx acts as if there were none; only
// the graph tells.
func provides(graph fx.DotGraph, typ string) bool {
	result := strconv.Quote(typ) + " ["
	inConstructor := false
	for line := range strings.Lines(string(graph)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "subgraph cluster_"):
			inConstructor = true
		case line == "}":
			inConstructor = false
		case inConstructor && strings.HasPrefix(line, result):
			return true
		}
	}
	return false
}
