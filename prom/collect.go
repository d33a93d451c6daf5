package fxhttpprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// sink takes the metrics of one server.
type sink struct {
	ch     chan<- prometheus.Metric
	server string
}

func (s sink) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{s.server}, labels...)...)
}

func (s sink) counter(d *prometheus.Desc, value float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, append([]string{s.server}, labels...)...)
}

func (s sink) timestamp(d *prometheus.Desc, t time.Time) {
	if !t.IsZero() {
		s.gauge(d, float64(t.UnixNano())/1e9)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func collectStats(to sink, st fxshutdown.Stats) {
	to.gauge(connectionsDesc, float64(st.New), "new")
	to.gauge(connectionsDesc, float64(st.Active), "active")
	to.gauge(connectionsDesc, float64(st.Idle), "idle")
	to.gauge(connectionsDesc, float64(st.Hijacked), "hijacked")
	to.gauge(waitingDesc, float64(st.InQueue))
	to.counter(acceptedDesc, float64(st.Accepted))
	to.counter(closedDesc, float64(st.IdleClosed), "idle")
	to.counter(closedDesc, float64(st.Cut), "cut")
	to.counter(closedDesc, float64(st.Closed-st.IdleClosed-st.Cut), "other")
	to.counter(retiredDesc, float64(st.RetiredByAge), "age")
	to.counter(retiredDesc, float64(st.RetiredByRequests), "requests")
	to.counter(retiredDesc, float64(st.Retired-st.RetiredByAge-st.RetiredByRequests), "chosen")

	to.gauge(inFlightDesc, float64(st.InFlight))
	to.gauge(undecidedDesc, float64(st.Undecided))
	to.counter(requestsDesc, float64(st.Answered), "answered")
	to.counter(requestsDesc, float64(st.Failed), "failed")
	to.counter(requestsDesc, float64(st.Ended), "ended")
	to.counter(requestsDesc, float64(st.Hijacks), "hijacked")
	to.counter(requestsDesc, float64(st.Aborted), "aborted")
}

// collectStop exports a stop. Its counters exist before it, as 0, so that queries can ask
// for their increase.
func collectStop(to sink, r fxshutdown.Report) {
	duration := r.Duration
	if r.Trigger != "" && duration == 0 {
		duration = time.Since(r.Began)
	}
	to.timestamp(beganDesc, r.Began)
	to.gauge(durationDesc, duration.Seconds())

	to.counter(stopRequestsDesc, float64(r.Answered), "answered")
	to.counter(stopRequestsDesc, float64(r.Failed), "failed")
	to.counter(stopRequestsDesc, float64(r.Ended), "ended")
	to.counter(stopRequestsDesc, float64(r.Hijacks), "hijacked")
	to.counter(stopRequestsDesc, float64(r.Aborted), "aborted")
	for _, c := range stopCounters {
		to.counter(c.desc, float64(c.of(r)))
	}
}

// phases in their order.
var phases = []fxshutdown.PhaseName{
	fxshutdown.PhaseDelay, fxshutdown.PhaseAnnounce, fxshutdown.PhaseListener, fxshutdown.PhaseDrain, fxshutdown.PhaseForce,
}

func collectPhases(to sink, r fxshutdown.Report, p fxshutdown.Progress) {
	for _, name := range phases {
		to.gauge(phaseDesc, truth(name == p.Phase), string(name))
	}
	for _, phase := range r.Phases {
		to.gauge(phaseDurationDesc, phase.Duration.Seconds(), string(phase.Name))
	}
	to.timestamp(forceAtDesc, p.ForceAt)
	to.timestamp(endAtDesc, p.EndAt)
}

// collectResults exports how a stop that is over went.
func collectResults(to sink, r fxshutdown.Report, e fxshutdown.StopBegan) {
	to.gauge(resultDesc, 1, stopResult(r))
	for _, phase := range r.Phases {
		to.gauge(phaseResultDesc, 1, string(phase.Name), phaseResult(phase.Name, r))
	}
	if result, ok := skippedDelay(e); ok {
		to.gauge(phaseResultDesc, 1, string(fxshutdown.PhaseDelay), result)
	}
}
