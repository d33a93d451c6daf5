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
	// Name is that of [WithName], or empty.
	Name string

	// Server is the server that Module provides.
	Server *fxshutdown.Server

	events *stopRecorder // nil in a literal
}

// StopBegan returns the event with which the stop began; it shows how the time is divided.
// ok is false before the stop, and until the event has reached the server's Logger.
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
		kept := *s // the Logger may do with its own what it likes
		r.stopping.Store(&kept)
	}
	r.Logger.LogEvent(e)
}

// Value groups.
const (
	groupServers      = `group:"fxhttp.servers"`
	groupLast         = `group:"fxhttp.last"`
	groupLastSettings = `group:"fxhttp.last.settings"`
)

// stopsLast says that the hook of a server of WithStopLast is appended.
type stopsLast struct{}

// appendHook appends the server's hook in the place of Module among the invokes. That of
// one that stops last is appended by a constructor, for which the invoke of every other
// server asks before anything else.
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
