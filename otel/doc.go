// Package fxhttpotel exports metrics of an app's fxhttp servers to OpenTelemetry: their
// connections and requests, and how they stop.
//
//	fx.New(
//		fxhttp.Module(fxhttp.WithAddr(":8080")),
//		fxhttpotel.Module(),
//		fx.Provide(newHandler, newMeterProvider), // a metric.MeterProvider; without it, the global one
//	)
//
// The last export comes after the drain; see [Module]. Without Fx, use [Register].
//
// Every metric has the attribute fxhttp.server.name, with the name of fxhttp.WithName, or
// [Unnamed]. Counters count from the start of the process to its end, including the stop.
// The values of all attributes come from the app, never from a client. The README beside
// this file lists the metrics.
package fxhttpotel
