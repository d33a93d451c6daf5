package fxhttpprom

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
)

// Module registers a [Collector] of all fxhttp servers of the app, wherever it is listed.
//
// It registers with the prometheus.Registerer of the graph, or else with its
// *prometheus.Registry, or else with prometheus.DefaultRegisterer. It is an error if the
// graph has a provider of one but it cannot be built, or if a second Module registers with
// the same one. Nothing is unregistered: a registry that outlives the app keeps showing the
// last figures.
func Module() fx.Option { return fx.Invoke(register) }

// AdminRoute serves the metrics at /metrics of the admin server of fxhttpadmin.Module, to
// GET and HEAD, without authentication, like its /stats. List it beside that Module: in an
// fx.Module it changes only the admin server of that fx.Module.
//
// The metrics come from the prometheus.Gatherer of the graph, or else from where Module has
// registered. If the graph has a prometheus.Registerer that cannot be asked for metrics,
// provide a Gatherer too.
func AdminRoute() fx.Option {
	return fx.Options(
		fx.Decorate(withMetrics),
		fx.Invoke(checkRoute),
	)
}

func register(servers serverParams, r registry) error {
	c, err := NewCollector(servers.Servers...)
	if err != nil {
		return err
	}
	to, err := r.registerer()
	if err != nil {
		return err
	}
	if err := to.Register(c); err != nil {
		if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
			return fmt.Errorf("fxhttpprom: a Registerer takes one Module, or Collector, and this one already has it: "+
				"list Module once, and if the app is built again in the same process, as in tests, give it a registry of its own: %w", err)
		}
		return fmt.Errorf("fxhttpprom: %w", err)
	}
	return nil
}

type serverParams struct {
	fx.In

	Servers []fxhttp.NamedServer `group:"fxhttp.servers"`
}

// registry is what the graph provides to register with, and to gather from.
type registry struct {
	fx.In

	Registerer prometheus.Registerer `optional:"true"`
	Registry   *prometheus.Registry  `optional:"true"`
	Gatherer   prometheus.Gatherer   `optional:"true"`
	Graph      fx.DotGraph
}

func (r registry) registerer() (prometheus.Registerer, error) {
	switch {
	case r.Registerer != nil:
		return r.Registerer, nil
	case provides[prometheus.Registerer](r.Graph):
		return nil, cannotBeHad("prometheus.Registerer")
	case r.Registry != nil:
		return r.Registry, nil
	case provides[*prometheus.Registry](r.Graph):
		return nil, cannotBeHad("*prometheus.Registry")
	}
	return prometheus.DefaultRegisterer, nil
}

func (r registry) gatherer() (prometheus.Gatherer, error) {
	switch {
	case r.Gatherer != nil:
		return r.Gatherer, nil
	case provides[prometheus.Gatherer](r.Graph):
		return nil, cannotBeHad("prometheus.Gatherer")
	}
	to, err := r.registerer()
	if err != nil {
		return nil, err
	}
	if r.Registerer == nil && r.Registry == nil {
		return prometheus.DefaultGatherer, nil // DefaultRegisterer may be a wrapper
	}
	if g, ok := to.(prometheus.Gatherer); ok {
		return g, nil
	}
	return nil, fmt.Errorf("fxhttpprom.AdminRoute: the %T of the graph cannot be asked for metrics: provide a prometheus.Gatherer too", to)
}

// These do not use fx.Annotate: fx.Decorate drops an annotated function whose tags do not
// fit, for example because a parameter is an fx.In, and no error says so (fx 1.24,
// decorate.go).
type (
	adminParams struct {
		fx.In

		Admin    http.Handler `name:"admin"`
		Registry registry
	}

	adminResult struct {
		fx.Out

		Admin http.Handler `name:"admin"`
	}
)

// checkRoute is an invoke, whose error Fx shows as it is. It asks for the admin server,
// since Fx does not complain about a decorator of something that does not exist.
func checkRoute(_ adminServer, r registry) error {
	_, err := r.gatherer()
	return err
}

type adminServer struct {
	fx.In

	Server *http.Server `name:"admin"`
}

// withMetrics returns the admin server's handler with a route for metrics. If there is
// nothing to gather from, it leaves the error to checkRoute.
func withMetrics(p adminParams) adminResult {
	from, err := p.Registry.gatherer()
	if err != nil {
		return adminResult{Admin: p.Admin}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(from, promhttp.HandlerOpts{}))
	return adminResult{Admin: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			mux.ServeHTTP(w, r)
			return
		}
		p.Admin.ServeHTTP(w, r)
	})}
}

// provides reports whether a constructor of the app provides a T. If the
// provider of an optional dependency cannot be built, Fx acts as if there were none; only
// the graph tells.
func provides[T any](graph fx.DotGraph) bool {
	result := strconv.Quote(reflect.TypeFor[T]().String()) + " ["
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

func cannotBeHad(what string) error {
	return fmt.Errorf("fxhttpprom: the app provides a %s that cannot be used: it is nil, or something that it needs is missing or private to another module, or it is a type of the same name from another package", what)
}
