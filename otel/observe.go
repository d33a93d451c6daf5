package fxhttpotel

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// observation is what is exported of one server at one time.
type observation struct {
	*instruments
	to     metric.Observer
	server attribute.KeyValue
}

// observe asks for the report before the account. So the figures of the stop are never
// ahead of those of the whole life, and once the stop is over, the latter are final.
func (i *instruments) observe(to metric.Observer, s fxhttp.NamedServer) {
	report := s.Server.Report()
	var progress fxshutdown.Progress
	if report.Duration == 0 {
		progress = s.Server.Progress() // it ends a moment later
	}
	ready := s.Server.IsReady()
	stats := s.Server.Stats()

	o := observation{i, to, serverKey.String(nameOf(s))}
	o.int(i.ready, truth(ready))
	o.stats(stats)
	o.stop(report, progress)
	if report.Duration > 0 {
		event, _ := s.StopBegan()
		o.results(report, event)
	}
}

func (o observation) with(attrs []attribute.KeyValue) metric.ObserveOption {
	return metric.WithAttributes(append(attrs, o.server)...)
}

func (o observation) int(i metric.Int64Observable, value int64, attrs ...attribute.KeyValue) {
	o.to.ObserveInt64(i, value, o.with(attrs))
}

func (o observation) seconds(i metric.Float64Observable, d time.Duration, attrs ...attribute.KeyValue) {
	o.to.ObserveFloat64(i, d.Seconds(), o.with(attrs))
}

func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (o observation) stats(st fxshutdown.Stats) {
	o.int(o.connections, int64(st.New), stateKey.String("new"))
	o.int(o.connections, int64(st.Active), stateKey.String("active"))
	o.int(o.connections, int64(st.Idle), stateKey.String("idle"))
	o.int(o.connections, int64(st.Hijacked), stateKey.String("hijacked"))
	o.int(o.waiting, int64(st.InQueue))
	o.int(o.accepted, int64(st.Accepted))
	o.int(o.closed, int64(st.IdleClosed), closeReasonKey.String("idle"))
	o.int(o.closed, int64(st.Cut), closeReasonKey.String("cut"))
	o.int(o.closed, int64(st.Closed-st.IdleClosed-st.Cut), closeReasonKey.String("other"))
	o.int(o.retired, int64(st.RetiredByAge), retireReasonKey.String("age"))
	o.int(o.retired, int64(st.RetiredByRequests), retireReasonKey.String("requests"))
	o.int(o.retired, int64(st.Retired-st.RetiredByAge-st.RetiredByRequests), retireReasonKey.String("chosen"))

	o.int(o.inFlight, int64(st.InFlight))
	o.int(o.undecided, int64(st.Undecided))
	o.int(o.requests, int64(st.Answered), requestResultKey.String("answered"))
	o.int(o.requests, int64(st.Failed), requestResultKey.String("failed"))
	o.int(o.requests, int64(st.Ended), requestResultKey.String("ended"))
	o.int(o.requests, int64(st.Hijacks), requestResultKey.String("hijacked"))
	o.int(o.requests, int64(st.Aborted), requestResultKey.String("aborted"))
}

// phases in their order.
var phases = []fxshutdown.PhaseName{
	fxshutdown.PhaseDelay, fxshutdown.PhaseAnnounce, fxshutdown.PhaseListener, fxshutdown.PhaseDrain, fxshutdown.PhaseForce,
}

// stop exports a stop. Its counters exist before it, as 0.
func (o observation) stop(r fxshutdown.Report, p fxshutdown.Progress) {
	duration := r.Duration
	if r.Trigger != "" && duration == 0 {
		duration = time.Since(r.Began)
	}
	o.seconds(o.duration, duration)
	for _, name := range phases {
		o.int(o.phase, truth(name == p.Phase), phaseKey.String(string(name)))
	}
	for _, phase := range r.Phases {
		o.seconds(o.phaseDuration, phase.Duration, phaseKey.String(string(phase.Name)))
	}
	if !p.ForceAt.IsZero() {
		o.seconds(o.forceIn, time.Until(p.ForceAt))
		o.seconds(o.endIn, time.Until(p.EndAt))
	}

	o.int(o.stopRequests, int64(r.Answered), requestResultKey.String("answered"))
	o.int(o.stopRequests, int64(r.Failed), requestResultKey.String("failed"))
	o.int(o.stopRequests, int64(r.Ended), requestResultKey.String("ended"))
	o.int(o.stopRequests, int64(r.Hijacks), requestResultKey.String("hijacked"))
	o.int(o.stopRequests, int64(r.Aborted), requestResultKey.String("aborted"))
	for _, c := range o.stopCounters {
		o.int(c.instrument, int64(c.of(r)))
	}
}

// results exports how a stop that is over went.
func (o observation) results(r fxshutdown.Report, e fxshutdown.StopBegan) {
	o.int(o.result, 1, stopResultKey.String(stopResult(r)))
	for _, phase := range r.Phases {
		o.int(o.phaseResult, 1, phaseKey.String(string(phase.Name)), phaseResultKey.String(phaseResult(phase.Name, r)))
	}
	if result, ok := skippedDelay(e); ok {
		o.int(o.phaseResult, 1, phaseKey.String(string(fxshutdown.PhaseDelay)), phaseResultKey.String(result))
	}
}
