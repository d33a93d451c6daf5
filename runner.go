package fxhttp

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// runner is a server's hook in the app's lifecycle.
type runner struct {
	*settings

	srv      *http.Server
	server   *fxshutdown.Server
	provided http.Handler // that of the graph
	signals  *signalWatch

	registered identity      // of srv.Handler when the hook was appended
	stopping   atomic.Bool   // set when OnStop is called
	watched    chan struct{} // closed when watch has returned
}

func newRunner(srv *http.Server, server *fxshutdown.Server, s *settings, h *graphHandler) (*runner, error) {
	r := &runner{settings: s, srv: srv, server: server}
	r.signals = r.newSignalWatch()
	if h == nil { // WithHandler
		return r, nil
	}
	if r.provided = h.Handler; r.provided != nil {
		return r, nil
	}
	g, key := parseGraph(s.fromGraph.Dot), keyOf[http.Handler](s.name)
	if s.defaultServeMux {
		// An app that has written a handler does not want http.DefaultServeMux instead.
		return r, g.whyAbsent(key, ", or the provider returned nil; http.DefaultServeMux is not served instead: "+
			"to serve it anyway, use fxhttp.WithHandler(http.DefaultServeMux)")
	}
	return r, g.whyUnbuilt(key)
}

// register appends the hook. Whatever has been constructed by now starts before the
// server and stops after it. The first parameter makes Fx append the hooks of servers
// that stop last before this one.
func register(_ []stopsLast, lc fx.Lifecycle, r *runner) {
	r.settleHandler()
	r.registered = identify(r.srv)
	lc.Append(fx.Hook{OnStart: r.start, OnStop: r.stop})
}

// settleHandler puts the graph's handler, or http.DefaultServeMux, in the place of the
// lateHandler: in the server, or inside the middleware that was wrapped around it.
func (r *runner) settleHandler() {
	h := r.provided
	if h == nil && r.defaultServeMux {
		h = http.DefaultServeMux
	}
	if r.late != nil {
		r.late.next = h
	}
	if r.srv.Handler == nil || r.late.isIn(r.srv) { // nil in a server made by a decorator
		r.srv.Handler = h
	}
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
	case srv.Addr == "" && r.listener == nil:
		return fmt.Errorf("fxhttp: %s has no address: an fx.Decorate returned a new *http.Server without Addr, or an fx.Invoke cleared its Addr: "+
			"modify the given server instead, or set Addr (net/http's default is \":http\")", describe(r.name))
	case srv.Handler == nil && r.defaultServeMux:
		srv.Handler = http.DefaultServeMux // an fx.Invoke has set it to nil since register
	case srv.Handler == nil:
		return fmt.Errorf("fxhttp: %s has no handler: %s", describe(r.name), r.whyNoHandler())
	case !r.registered.isIn(srv):
		// Fx ignores hooks that are appended in OnStart, so the order cannot be
		// corrected here.
		r.warn(fmt.Sprintf("fxhttp: the Handler of %s was assigned after the server's hook was appended: "+
			"what the handler needs may start after the server, and stop before the server has drained; "+
			"provide the handler as http.Handler%s, or list fxhttp.Module after the fx.Invoke that assigns it, in the same fx.Module",
			describe(r.name), r.withName()))
	}
	r.registered.restore(srv)
	for _, w := range r.warnings {
		r.warn(w)
	}
	if err := r.server.Start(ctx); err != nil {
		// Fx calls no OnStop for this hook now; Start has cleaned up.
		return fmt.Errorf("fxhttp: start %s: %w", describe(r.name), err)
	}
	r.watched = make(chan struct{})
	go r.watch()
	r.signals.start()
	return nil
}

// whyNoHandler says how to give the server a handler, the most likely mistake first.
func (r *runner) whyNoHandler() string {
	g := parseGraph(r.fromGraph.Dot)
	key, mux, other := keyOf[http.Handler](r.name), keyOf[*http.ServeMux](r.name), keyOf[http.Handler]("")
	var hints []string
	if by := g.provided(key); by != "" {
		hints = append(hints, fmt.Sprintf("%s provides %s, but the server did not get it: "+
			"the provider returned nil, or the provider or something that it needs is private to another module", by, key))
	} else if by := g.provided(mux); by != "" {
		hints = append(hints, fmt.Sprintf("%s provides %s: annotate it with fx.As(new(http.Handler))", by, mux))
	} else if by := g.provided(other); by != "" {
		hints = append(hints, fmt.Sprintf("%s provides %s without the server's name", by, other))
	}
	hints = append(hints, "provide an http.Handler"+r.withName()+" (a constructor that returns another type needs fx.As(new(http.Handler))), or assign the Handler of the *http.Server in an fx.Invoke, "+
		"or give fxhttp.Module WithHandler or WithDefaultServeMux")
	if r.late != nil {
		hints[len(hints)-1] += " (an fx.Invoke listed before fxhttp.Module sees a stand-in as the Handler, not nil)"
	}
	return strings.Join(hints, "; ")
}

func (r *runner) withName() string {
	if r.name == "" {
		return ""
	}
	return fmt.Sprintf(" with the tag %s", nameTag(r.name))
}

// watch ends the app if the server stops serving by itself. It returns when serving has
// ended; stop makes that happen, and waits for it.
func (r *runner) watch() {
	defer close(r.watched)
	<-r.server.Done()
	if r.server.Err() == nil || r.stopping.Load() {
		return
	}
	// The server has logged the cause. An error here means that the app has already been
	// told to end.
	_ = r.fromGraph.Shutdowner.Shutdown(fx.ExitCode(1))
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

func (r *runner) newSignalWatch() *signalWatch {
	return &signalWatch{
		unready:   r.unreadySignals,
		force:     r.forceSignals,
		onUnready: func(s os.Signal) { r.server.SetUnready(fmt.Sprintf("signal %v", s)) },
		onRepeat: func(s os.Signal) {
			r.warn(fmt.Sprintf("fxhttp: the signal %v came within %v of the first, so it counts as a repeat of it, and does not end the drain of %s: send it again to force the end",
				s, forceSignalGap, describe(r.name)))
		},
		onForce: func(s os.Signal) {
			r.warn(fmt.Sprintf("fxhttp: the signal %v ends the drain of %s by force", s, describe(r.name)))
			// The error is that of Stop, which OnStop returns.
			_ = r.server.Close()
		},
		// An error means that the app has already been told to end.
		endApp: func() { _ = r.fromGraph.Shutdowner.Shutdown() },
	}
}
