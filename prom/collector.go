package fxhttpprom

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Collector is a prometheus.Collector of the accounts of servers. It keeps no figures of
// its own: each scrape asks each server once, so the figures of a scrape fit together. Any
// number of goroutines may use it.
type Collector struct{ servers []fxhttp.NamedServer }

var _ prometheus.Collector = (*Collector)(nil)

// NewCollector returns a collector of the servers. It needs no Fx:
//
//	c, err := fxhttpprom.NewCollector(fxhttp.NamedServer{Name: "api", Server: server})
//
// A NamedServer made like this has no label result "skipped" or "no_room": only those of
// fxhttp.Module know these. It is an error to give no server, a nil server, or two servers
// of the same name. A server without a name is called [Unnamed].
func NewCollector(servers ...fxhttp.NamedServer) (*Collector, error) {
	if err := checkServers(servers); err != nil {
		return nil, err
	}
	return &Collector{slices.Clone(servers)}, nil
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It looks at every connection, like
// fxshutdown.Server.Stats.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.servers {
		collect(sink{ch, nameOf(s)}, s)
	}
}

// collect asks for the report before the account. So the figures of the stop are never
// ahead of those of the whole life, and once the stop is over, the latter are final.
func collect(to sink, s fxhttp.NamedServer) {
	report := s.Server.Report()
	var progress fxshutdown.Progress
	if report.Duration == 0 {
		progress = s.Server.Progress() // it ends a moment later
	}
	ready := s.Server.IsReady()
	stats := s.Server.Stats()

	to.gauge(readyDesc, truth(ready))
	collectStats(to, stats)
	collectStop(to, report)
	collectPhases(to, report, progress)
	if report.Duration > 0 {
		event, _ := s.StopBegan()
		collectResults(to, report, event)
	}
}
