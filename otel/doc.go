// Package fxhttpotel tells OpenTelemetry of an app's fxhttp servers: their connections and
// requests, and how they stop.
//
//	fx.New(
//		fxhttp.Module(fxhttp.WithAddr(":8080")),
//		fxhttpotel.Module(),
//		fx.Provide(newHandler, newMeterProvider), // a metric.MeterProvider; without one the global one
//	)
//
// The last export comes after the drain; see [Module]. Without Fx there is [Register].
//
// Every metric has the attribute fxhttp.server.name, with the name of fxhttp.WithName, or
// [Unnamed]. Counters count from the start of the process to its end, through the stop. All
// attributes have values of the app's, none of a client's. The README beside this file
// lists the metrics.
package fxhttpotel
