// Package fxhttp gives an Fx app an HTTP server that loses no request when it
// stops.
//
// [Module] provides an *http.Server, and runs it by the engine of package
// [fxshutdown]:
//
//	func main() {
//		fx.New(
//			fxhttp.Module(fxhttp.WithAddr(":8080")),
//			fx.Provide(newHandler), // func(…) http.Handler
//		).Run()
//	}
//
// # The life of a server
//
// When the app is built, the settings are added up and checked, the *http.Server
// is constructed, then the handler and all that it needs, and at last the hook
// is appended. OnStart listens, so that a busy port fails the start, and serves
// in the background. If the listener dies under the running server, the app
// ends with exit code 1. OnStop closes the listener, drops idle connections
// and drains active ones; package [fxshutdown] describes it phase by phase.
//
// What the handler needs starts before the server and stops after it has
// drained, if the handler comes from the graph or was assigned to the
// *http.Server before the hook was appended. See [Module] for the rule. The
// same holds for routes: register those that need a database in the constructor
// of the handler, not in an fx.Invoke that comes after Module: no warning can see that.
//
// [fx.ValidateApp] runs no constructor, and optional dependencies hide what is missing
// from it: an app whose handler or Config cannot be built, or whose settings are
// wrong, fails in [fx.New].
//
// A handler can inject the *http.Server, and the [fxshutdown.Server] for its
// readiness and its statistics. A handler that does not end by itself (an event
// stream, a long poll) learns from [fxshutdown.Draining] that it should; one that belongs to
// a proxy or a library is wrapped in [fxshutdown.EndOnDrain].
//
// # The budget
//
// Fx gives all OnStop hooks one timeout (fx.StopTimeout, 15 s by default) and
// skips those that are left when it is over. The drain therefore ends
// [Config.StopReserve] before it: what has not ended by then is cancelled, then
// cut and named in the error of the hook, and the database is still closed. Add
// up ShutdownDelay, the longest request, StopReserve and the other hooks, and
// set fx.StopTimeout to no less; set the grace period of the orchestrator to
// more than that. [WithForceSignals] lets a second Ctrl-C end the drain.
//
// Hooks that stop before the server delay its stop, and readiness stays good meanwhile.
// [WithUnreadySignals] makes it fail at the signal, from which ShutdownDelay then counts.
//
// # Hijacked connections
//
// Connections that a handler took over (WebSockets) are tracked until they
// are closed. The drain waits for them as for requests; those that are left
// when [Config.HijackGrace] or the budget is over are closed and logged, which
// is no error.
//
// # Settings
//
// A setting has its default, which gives way to the [Config] in the graph, that
// to the options given to [Module], and those to options built from the graph
// by [AsOption]. Several servers in one app are told apart by [WithName].
//
// An app that already has an *http.Server of its own gets dig's error "already
// provided", naming both constructors: name one of the two by [WithName], or
// leave out the other.
//
// # Logging
//
// Events go to the fxshutdown.Logger of the graph, or else to its *zap.Logger
// as [ZapLogger] writes them, or else to slog.Default. They hold method,
// path and age of requests, never a query, a header or a body.
package fxhttp
