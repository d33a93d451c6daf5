// Package fxhttp gives an Fx app an HTTP server that stops without losing any request
// that HTTP lets a server keep.
//
// [Module] provides an *http.Server and runs it with the engine of package [fxshutdown]:
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
// When the app is built, the settings are added up and checked. Then the *http.Server is
// constructed, then the handler and everything that it needs, and finally the hook is
// appended. OnStart listens, so that a busy port fails the start, and serves in the
// background. If the listener dies while the server is running, the app ends with exit
// code 1. OnStop closes the listener, drops idle connections and drains active ones;
// package [fxshutdown] describes the stop phase by phase.
//
// What the handler needs starts before the server and stops after it has drained, if the
// handler comes from the graph or was assigned to the *http.Server before the hook was
// appended. See [Module] for the rule. The same holds for routes: register those that
// need a database in the constructor of the handler, not in an fx.Invoke that comes after
// Module. No warning can detect that mistake.
//
// [fx.ValidateApp] runs no constructors, and does not notice what an optional dependency
// lacks. So an app whose handler or Config cannot be built, or whose settings are wrong,
// fails only in [fx.New].
//
// A handler can inject the *http.Server, and the [fxshutdown.Server] for its readiness
// and statistics. A handler that does not end on its own (an event stream, a long poll)
// learns from [fxshutdown.Draining] that it should end; one that belongs to a proxy or a
// library is wrapped in [fxshutdown.EndOnDrain].
//
// # The budget
//
// Fx gives all OnStop hooks a single timeout (fx.StopTimeout, 15 s by default), and skips
// those that are left when it is over. The drain therefore ends [Config.StopReserve]
// earlier: what has not ended by then is cancelled, then cut and named in the error of
// the hook, and there is still time to close the database. Add up ShutdownDelay, the
// longest request, StopReserve and the other hooks, and set fx.StopTimeout to at least
// the sum; set the grace period of the orchestrator to more than that. [WithForceSignals]
// lets a second Ctrl-C end the drain.
//
// Hooks that stop before the server delay its stop, and the server stays ready meanwhile.
// [WithUnreadySignals] makes readiness fail at the signal; ShutdownDelay then counts from
// there.
//
// # Hijacked connections
//
// Connections that a handler took over (WebSockets) are tracked until they are closed.
// The drain waits for them as it does for requests. Those that are left when
// [Config.HijackGrace] or the budget is over are closed and logged, but are not an error
// of the stop.
//
// # Settings
//
// The [Config] in the graph overrides the defaults, the options given to [Module]
// override the Config, and options built from the graph by [ProvideOption] override those.
// [WithName] distinguishes several servers in one app.
//
// An app that already has an *http.Server of its own gets the error "already provided"
// from dig, which names both constructors: name one of the two with [WithName], or remove
// the other.
//
// # Logging
//
// Events go to the fxshutdown.Logger of the graph, or else to its *zap.Logger, through
// [ZapLogger], or else to slog.Default. They contain the method, path and age of
// requests, never a query, a header or a body.
package fxhttp
