package fxhttpotel

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// scope is the name of the instrumentation scope.
const scope = "github.com/fxshutdown/fxhttp/otel"

// Register observes the servers with instruments of the provider, or of the global one if
// it is nil, until the registration is unregistered. It needs no Fx:
//
//	registration, err := fxhttpotel.Register(provider, fxhttp.NamedServer{Name: "api", Server: server})
//
// A NamedServer made like this has no phase result "skipped" or "no_room": only those of
// fxhttp.Module know these. Unregister when the servers have stopped and their last figures
// are exported: what is no longer observed is not exported either.
//
// It is an error to give no server, a nil server, two servers of the same name, or a server
// that is already registered with the provider, since OpenTelemetry would add up both
// observations. A server without a name is called [Unnamed]. Each collection asks each
// server once, and looks at every connection, like fxshutdown.Server.Stats.
func Register(provider metric.MeterProvider, servers ...fxhttp.NamedServer) (metric.Registration, error) {
	if err := checkServers(servers); err != nil {
		return nil, err
	}
	servers = slices.Clone(servers)
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	release, err := observed.claim(provider, servers)
	if err != nil {
		return nil, err
	}
	meter := provider.Meter(scope)
	i, err := newInstruments(meter)
	if err != nil {
		release()
		return nil, fmt.Errorf("fxhttpotel: %w", err)
	}
	r, err := meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		for _, s := range servers {
			i.observe(to, s)
		}
		return nil
	}, i.all...)
	if err != nil {
		release()
		return nil, fmt.Errorf("fxhttpotel: %w", err)
	}
	return &registration{Registration: r, release: sync.OnceFunc(release)}, nil
}

// registration releases its servers when it is unregistered.
type registration struct {
	metric.Registration
	release func()
}

func (r *registration) Unregister() error {
	defer r.release()
	return r.Registration.Unregister()
}

// observed are the servers that are registered.
var observed = claims{taken: make(map[claim]bool)}

type claims struct {
	mu    sync.Mutex // guards what follows
	taken map[claim]bool
}

type claim struct {
	provider metric.MeterProvider
	server   *fxshutdown.Server
}

// claim claims servers for a provider, and returns what gives them back.
func (c *claims) claim(provider metric.MeterProvider, servers []fxhttp.NamedServer) (release func(), err error) {
	if !reflect.ValueOf(provider).Comparable() {
		return func() {}, nil // no key of a map; those of the SDK are pointers
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range servers {
		if c.taken[claim{provider, s.Server}] {
			return nil, fmt.Errorf("fxhttpotel: the server %q is already registered with this provider, by Module or Register: unregister it first", nameOf(s))
		}
	}
	for _, s := range servers {
		c.taken[claim{provider, s.Server}] = true
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, s := range servers {
			delete(c.taken, claim{provider, s.Server})
		}
	}, nil
}
