package fxhttp

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync/atomic"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// runner is a server's hook in the app's lifecycle.
type runner struct {
	name            string
	srv             *http.Server
	server          *fxshutdown.Server
	shutdowner      fx.Shutdowner
	dot             fx.DotGraph
	warn            func(string)
	handler         http.Handler // of the graph
	late            *lateHandler // nil with WithHandler, and if a decorator brought the server
	warnings        []string
	hasListener     bool // srv.Addr has no meaning
	defaultServeMux bool
	signals         *signalWatch

	registered identity      // of srv.Handler when the hook was appended
	stopping   atomic.Bool   // OnStop was called
	watched    chan struct{} // closed when watch has returned
}

// register appends the hook. Whatever was constructed until now starts before
// the server and stops after it. The servers that stop last come first.
func register(_ []stopsLast, lc fx.Lifecycle, r *runner) {
	r.settleHandler()
	r.registered = identify(r.srv)
	lc.Append(fx.Hook{OnStart: r.start, OnStop: r.stop})
}

// settleHandler puts the graph's handler, or http.DefaultServeMux, where the late one
// stands: in the server, or in what somebody has wrapped around it.
func (r *runner) settleHandler() {
	h := r.handler
	if h == nil && r.defaultServeMux && r.whyNotDefaultServeMux() == nil {
		h = http.DefaultServeMux
	}
	if r.late != nil {
		r.late.next = h
	}
	if r.srv.Handler == nil || r.late.isIn(r.srv) { // nil in a server that a decorator brought
		r.srv.Handler = h
	}
}

// whyNotDefaultServeMux finds a handler that the app has written, and that cannot be
// had. Serving whatever packages registered in its place is not what was asked for.
func (r *runner) whyNotDefaultServeMux() error {
	key := graphKey(reflect.TypeFor[http.Handler](), r.name)
	if by := parseGraph(r.dot).provided(key); by != "" {
		return fmt.Errorf("fxhttp: %s does not serve http.DefaultServeMux in place of %s, which %s provides, but which cannot be had: "+
			"it returned nil, or it, or what it needs, is private to another module; "+
			"to serve http.DefaultServeMux all the same give WithHandler(http.DefaultServeMux)", describe(r.name), key, by)
	}
	return nil
}

func (r *runner) start(ctx context.Context) (err error) {
	srv := r.srv
	before := srv.Handler
	defer func() {
		if err != nil {
			srv.Handler = before // the app may be started again
		}
	}()
	switch {
	case srv.Addr == "" && !r.hasListener:
		return fmt.Errorf("fxhttp: %s has no address: an fx.Decorate has brought an *http.Server of its own without Addr, or an fx.Invoke has emptied it: "+
			"change the server that it is given instead, or set Addr (\":http\" is net/http's default)", describe(r.name))
	case srv.Handler == nil && r.defaultServeMux:
		if err := r.whyNotDefaultServeMux(); err != nil {
			return err
		}
		srv.Handler = http.DefaultServeMux // somebody has set it to nil meanwhile
	case srv.Handler == nil:
		return fmt.Errorf("fxhttp: %s has no handler: %s", describe(r.name), r.whyNoHandler())
	case !r.registered.isIn(srv):
		// Fx ignores hooks that are appended in OnStart: all that can be done
		// here is to say it.
		r.warn(fmt.Sprintf("fxhttp: the Handler of %s was assigned after its OnStart hook was appended: "+
			"what it needs may start after the server and stop before it has drained; "+
			"provide the handler as http.Handler%s, or list fxhttp.Module after the fx.Invoke that assigns it, in the same fx.Module",
			describe(r.name), r.withName()))
	}
	r.registered.restore(srv)
	for _, w := range r.warnings {
		r.warn(w)
	}
	if err := r.server.Start(ctx); err != nil {
		// Fx calls no OnStop for this hook: Start has cleaned up.
		return fmt.Errorf("fxhttp: start %s: %w", describe(r.name), err)
	}
	r.watched = make(chan struct{})
	go r.watch()
	r.signals.start()
	return nil
}

// whyNoHandler says how to get one, the likely slip first.
func (r *runner) whyNoHandler() string {
	g := parseGraph(r.dot)
	key := graphKey(reflect.TypeFor[http.Handler](), r.name)
	mux := graphKey(reflect.TypeFor[*http.ServeMux](), r.name)
	other := graphKey(reflect.TypeFor[http.Handler](), "")
	var hints []string
	if by := g.provided(key); by != "" {
		hints = append(hints, fmt.Sprintf("%s provides %s but gave none: it returned nil, or it, or what it needs, is private to another module", by, key))
	} else if by := g.provided(mux); by != "" {
		hints = append(hints, fmt.Sprintf("%s provides %s: annotate it with fx.As(new(http.Handler))", by, mux))
	} else if by := g.provided(other); by != "" {
		hints = append(hints, fmt.Sprintf("%s provides %s without the name", by, other))
	}
	hints = append(hints, "provide an http.Handler"+r.withName()+" (a constructor that returns another type needs fx.As(new(http.Handler))), or assign the Handler of the *http.Server in an fx.Invoke, "+
		"or give fxhttp.Module WithHandler or WithDefaultServeMux")
	if r.late != nil {
		hints[len(hints)-1] += " (an fx.Invoke before fxhttp.Module sees a stand-in there, and not nil)"
	}
	return strings.Join(hints, "; ")
}

func (r *runner) withName() string {
	if r.name == "" {
		return ""
	}
	return fmt.Sprintf(" with the tag %s", nameTag(r.name))
}

// watch ends the app when serving ends under it. It returns when serving is
// over, which stop brings about and waits for.
func (r *runner) watch() {
	defer close(r.watched)
	<-r.server.Done()
	if r.server.Err() == nil || r.stopping.Load() {
		return
	}
	// The server's log has the cause. An error here says that the app has been
	// told to end already.
	_ = r.shutdowner.Shutdown(fx.ExitCode(1))
}

func (r *runner) stop(ctx context.Context) error {
	r.stopping.Store(true)
	r.signals.beginStop()
	defer r.signals.end()
	err := r.server.Stop(ctx)
	<-r.watched
	if err != nil {
		return fmt.Errorf("fxhttp: stop %s: %w", describe(r.name), err)
	}
	return nil
}

// watchSignals sets up what is done about signals.
func (r *runner) watchSignals(unready, force []os.Signal) {
	r.signals = &signalWatch{
		unready:   unready,
		force:     force,
		onUnready: func(s os.Signal) { r.server.SetUnready(fmt.Sprintf("signal %v", s)) },
		onForce: func(s os.Signal) {
			r.warn(fmt.Sprintf("fxhttp: the signal %v ends the drain of %s", s, describe(r.name)))
			// Stop returns what was aborted.
			_ = r.server.Close()
		},
		// An error says that the app has been told to end already.
		endApp: func() { _ = r.shutdowner.Shutdown() },
	}
}
