package fxhttp

import (
	"sync/atomic"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// NamedServer is a server of the app. Each [Module] adds its own to the value group
// "fxhttp.servers", for metrics and admin pages, in no order:
//
//	fx.Annotate(newMetrics, fx.ParamTags(`group:"fxhttp.servers"`)) // takes []fxhttp.NamedServer
//
// Taking the group constructs all servers and reads their settings, but builds none of
// their handlers. A NamedServer made as a literal has no StopBegan event.
type NamedServer struct {
	// Name is the server's name, set by [WithName], or empty.
	Name string

	// Server is the server that Module provides.
	Server *fxshutdown.Server

	events *stopRecorder // nil in a literal
}

// StopBegan returns the event with which the stop began; it shows how the time is divided.
// ok is false until the stop has begun and the event has reached the server's Logger.
func (s NamedServer) StopBegan() (event fxshutdown.StopBegan, ok bool) {
	if s.events == nil {
		return event, false
	}
	e := s.events.stopping.Load()
	if e == nil {
		return event, false
	}
	return *e, true
}

// stopRecorder keeps the event that began the stop.
type stopRecorder struct {
	fxshutdown.Logger
	stopping atomic.Pointer[fxshutdown.StopBegan]
}

func (r *stopRecorder) LogEvent(e fxshutdown.Event) {
	if s, ok := e.(*fxshutdown.StopBegan); ok {
		kept := *s // the Logger may modify the event that it gets
		r.stopping.Store(&kept)
	}
	r.Logger.LogEvent(e)
}

// The value groups of all servers of an app.
const (
	groupServers      = `group:"fxhttp.servers"`
	groupLast         = `group:"fxhttp.last"`
	groupLastSettings = `group:"fxhttp.last.settings"`
)

// A stopsLast in the value group means that the hook of a server with WithStopLast has
// been appended.
type stopsLast struct{}

// appendHook appends the server's hook when Module's turn among the invokes comes. The
// hook of a server that stops last is appended by a constructor, which the invoke of every
// other server asks for before anything else.
func (m *module) appendHook(name string) fx.Option {
	if !m.stopsLast {
		return fx.Invoke(fx.Annotate(register, fx.ParamTags(groupLast, "", name)))
	}
	registerLast := func(lc fx.Lifecycle, r *runner) stopsLast {
		register(nil, lc, r)
		return stopsLast{}
	}
	return fx.Options(
		fx.Provide(
			fx.Annotate(registerLast, fx.ParamTags("", name), fx.ResultTags(groupLast)),
			fx.Annotate(func(s *settings) *settings { return s }, fx.ParamTags(name), fx.ResultTags(groupLastSettings)),
		),
		fx.Invoke(fx.Annotate(func([]stopsLast) {}, fx.ParamTags(groupLast))),
	)
}
