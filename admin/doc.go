// Package fxhttpadmin gives an app on fxhttp an admin server: probes, statistics, and,
// optionally, a live page that shows what holds a stop.
//
//	fx.New(
//		fxhttp.Module(fxhttp.WithAddr(":8080")),
//		fxhttpadmin.Module(),
//		fx.Provide(newHandler),
//		fxhttpadmin.AsCheck(func(db *sql.DB) fxhttpadmin.Check {
//			return fxhttpadmin.Check{Name: "database", Func: db.PingContext}
//		}),
//	)
//
// The server is named "admin" and listens on [DefaultAddr]. It starts before every other
// fxhttp server of the app and stops after all of them, wherever [Module] is listed.
//
//   - /livez: 200 as long as the process answers.
//   - /readyz: 200 while every fxhttp server of the app is ready and every [Check]
//     passes, 503 otherwise; see [Ready]. /readyz/NAME asks for a single one.
//   - /stats: [fxshutdown.Stats] of every server, by name, as JSON.
//
// These show only names and numbers. The routes below show more, and exist only if an
// option adds them. They belong behind the authentication of [WithAuth] or on a loopback
// address, where they are served only under a loopback name or address:
//
//   - / ([WithPage]): a page that follows the servers live.
//   - /requests ([WithRequests]): the requests in flight, as JSON.
//   - /debug/pprof/ ([WithPprof]): profiles.
//   - /retire ([WithRetire]): a POST tells the clients of a server to go.
//
// They show the method, path, age, client address and protocol of a request, escaped and
// cut as in [fxshutdown.Request]; never a query, a header or a body. All responses forbid
// caching.
//
// # Names
//
// A server is known by the name of fxhttp.WithName; one without a name is called
// [Unnamed]. An app that has both an unnamed server and one named [Unnamed] is refused.
//
// # On a server of your own
//
// Each route is a plain handler too: [Live], [Ready], [Stats], [Requests], [NewPage],
// [Pprof], [Retire]. They take the servers that fxhttp.Module adds to the value group
// "fxhttp.servers". One of these servers can serve the routes itself; once it stops, only
// clients that still have a connection to it see readiness fail.
package fxhttpadmin
