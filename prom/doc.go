// Package fxhttpprom exports metrics of an app's fxhttp servers to Prometheus: their
// connections and requests, and how they stop.
//
//	fx.New(
//		fxhttp.Module(fxhttp.WithAddr(":8080")),
//		fxhttpadmin.Module(),
//		fxhttpprom.Module(), fxhttpprom.AdminRoute(), // localhost:8081/metrics
//		fx.Provide(newHandler),
//	)
//
// Without Fx, or with a registry that is filled elsewhere, [NewCollector] returns a
// prometheus.Collector.
//
// Every metric has the label server, with the name of fxhttp.WithName, or [Unnamed].
// Counters count from the start of the process to its end, including the stop. The values
// of all labels come from the app, never from a client.
//
// The README beside this file lists the metrics, and says how the last scrape sees a stop
// that is over. dashboard.json is a dashboard for Grafana, and alerts.yml has alert rules.
package fxhttpprom
