package fxhttp

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
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
	defaultServeMux bool
	forceSignals    []os.Signal

	registered http.Handler  // srv.Handler when the hook was appended
	stopping   atomic.Bool   // OnStop was called
	watched    chan struct{} // closed when watch has returned
}

// register appends the hook. Whatever was constructed until now starts before
// the server and stops after it.
func register(lc fx.Lifecycle, r *runner) {
	if r.srv.Handler == nil {
		r.srv.Handler = r.handler
	}
	r.registered = r.srv.Handler
	lc.Append(fx.Hook{OnStart: r.start, OnStop: r.stop})
}

func (r *runner) start(ctx context.Context) error {
	if r.srv.Handler == nil && r.defaultServeMux {
		r.srv.Handler = http.DefaultServeMux
	} else if r.srv.Handler == nil {
		return fmt.Errorf("fxhttp: %s has no handler: %s", describe(r.name), r.whyNoHandler())
	} else if !sameHandler(r.srv.Handler, r.registered) {
		// Fx ignores hooks that are appended in OnStart: all that can be done
		// here is to say it.
		r.warn(fmt.Sprintf("fxhttp: the Handler of %s was assigned after its OnStart hook was appended: "+
			"what it needs may start after the server and stop before it has drained; "+
			"provide the handler as http.Handler%s, or list fxhttp.Module after the fx.Invoke that assigns it",
			describe(r.name), r.withName()))
	}
	if err := r.server.Start(ctx); err != nil {
		// Fx calls no OnStop for this hook: Start has cleaned up.
		return fmt.Errorf("fxhttp: start %s: %w", describe(r.name), err)
	}
	r.watched = make(chan struct{})
	go r.watch()
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
	hints = append(hints, "provide an http.Handler"+r.withName()+", or assign the Handler of the *http.Server in an fx.Invoke, "+
		"or give fxhttp.Module WithHandler or WithDefaultServeMux")
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
	defer r.closeOnSignal()()
	err := r.server.Stop(ctx)
	<-r.watched
	if err != nil {
		return fmt.Errorf("fxhttp: stop %s: %w", describe(r.name), err)
	}
	return nil
}

// closeOnSignal forces the stop at the first of the signals. The function
// that it returns ends that.
func (r *runner) closeOnSignal() (end func()) {
	if len(r.forceSignals) == 0 {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, r.forceSignals...)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			// Stop returns what was aborted.
			_ = r.server.Close()
		case <-quit:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
		<-ended
	}
}

// sameHandler reports whether b is still a, as far as can be told: handlers
// that cannot be compared, such as closures, are taken for the same if they
// have the same code.
func sameHandler(a, b http.Handler) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	switch {
	case !va.IsValid() || !vb.IsValid():
		return va.IsValid() == vb.IsValid()
	case va.Type() != vb.Type():
		return false
	case va.Comparable() && vb.Comparable():
		return a == b
	case va.Kind() == reflect.Func:
		return va.Pointer() == vb.Pointer()
	default:
		return true
	}
}
