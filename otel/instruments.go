package fxhttpotel

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Attributes. The attribute of a connection's state is the one of the semantic conventions,
// with two further states, which an open enumeration allows. No attribute has a value that
// a client could choose.
const (
	serverKey        = attribute.Key("fxhttp.server.name")
	stateKey         = attribute.Key("http.connection.state")
	closeReasonKey   = attribute.Key("fxhttp.connection.close.reason")
	retireReasonKey  = attribute.Key("fxhttp.connection.retire.reason")
	requestResultKey = attribute.Key("fxhttp.request.result")
	stopResultKey    = attribute.Key("fxhttp.stop.result")
	phaseKey         = attribute.Key("fxhttp.stop.phase.name")
	phaseResultKey   = attribute.Key("fxhttp.stop.phase.result")
)

// Units.
const (
	ofConnections = "{connection}"
	ofRequests    = "{request}"
	ofStates      = "1"
	seconds       = "s"
)

// instruments are those of one provider.
type instruments struct {
	all []metric.Observable

	ready metric.Int64ObservableGauge

	connections metric.Int64ObservableUpDownCounter
	waiting     metric.Int64ObservableUpDownCounter
	accepted    metric.Int64ObservableCounter
	closed      metric.Int64ObservableCounter
	retired     metric.Int64ObservableCounter

	inFlight  metric.Int64ObservableUpDownCounter
	undecided metric.Int64ObservableUpDownCounter
	requests  metric.Int64ObservableCounter

	phase         metric.Int64ObservableUpDownCounter
	duration      metric.Float64ObservableGauge
	forceIn       metric.Float64ObservableGauge
	endIn         metric.Float64ObservableGauge
	result        metric.Int64ObservableUpDownCounter
	phaseDuration metric.Float64ObservableGauge
	phaseResult   metric.Int64ObservableUpDownCounter
	stopRequests  metric.Int64ObservableCounter
	stopCounters  []stopCounter
}

// stopCounter is another figure of a report, 0 before the stop.
type stopCounter struct {
	instrument metric.Int64ObservableCounter
	of         func(fxshutdown.Report) int
}

// newInstruments makes the instruments. Their names are in the style of
// http.client.open_connections and http.server.active_requests. The latter itself is not
// among them: it requires the attributes http.request.method and url.scheme, which an
// account of connections does not have; otelhttp, which sees each request, can provide it.
func newInstruments(meter metric.Meter) (*instruments, error) {
	m := maker{meter: meter}
	i := &instruments{
		ready: m.gauge("fxhttp.server.ready", ofStates, "1 while the server is ready; 0 before it serves, once it was made unready, and once its stop has begun."),

		connections: m.upDown("fxhttp.server.open_connections", ofConnections, "Open connections by state: new ones have sent nothing yet, hijacked ones were taken over by a handler."),
		waiting:     m.upDown("fxhttp.server.waiting_connections", ofConnections, "Clients in the accept queue of a TCP listener on Linux; 0 elsewhere."),
		accepted:    m.counter("fxhttp.server.accepted_connections", ofConnections, "Connections accepted since the start."),
		closed:      m.counter("fxhttp.server.closed_connections", ofConnections, "Connections closed since the start, by reason: idle (a stop closed it while it waited for a request), cut (by force), other (closed by the client, after a response, by a timeout, or by the handler that had hijacked it)."),
		retired:     m.counter("fxhttp.server.retired_connections", ofConnections, "Connections whose clients were told to go while the server served, by reason: age, requests (their number), chosen (by Retire)."),

		inFlight:  m.upDown("fxhttp.server.active_requests", ofRequests, "Handlers that are running now, including those of hijacked connections."),
		undecided: m.upDown("fxhttp.server.undecided_requests", ofRequests, "Requests that are running, or whose response is not known to be written."),
		requests:  m.counter("fxhttp.server.ended_requests", ofRequests, "Requests that have ended since the start, by result: answered, failed (panic or short response), ended (a stream told to end), hijacked, aborted (cut off by a stop)."),

		phase:         m.upDown("fxhttp.server.stop.phase.status", ofStates, "1 for the phase of the stop that is running now, 0 for the others and outside of a stop."),
		duration:      m.seconds("fxhttp.server.stop.duration", "How long the stop took, or has taken so far. 0 before it."),
		forceIn:       m.seconds("fxhttp.server.stop.time_to_force", "Time until the force phase of the stop begins. Absent outside of a stop, and without a limit."),
		endIn:         m.seconds("fxhttp.server.stop.time_to_limit", "Time until the latest end of the stop. Absent outside of a stop, and without a limit."),
		result:        m.upDown("fxhttp.server.stop.outcome", ofStates, "1 for how the stop went: graceful, lossy (something was cut before the time was over), forced. Absent until it is over."),
		phaseDuration: m.seconds("fxhttp.server.stop.phase.duration", "How long a phase of the stop took. Absent until the phase is over."),
		phaseResult:   m.upDown("fxhttp.server.stop.phase.outcome", ofStates, "1 for how a phase went: complete, incomplete, skipped, no_room (a delay that did not fit). Absent until the stop is over."),
		stopRequests:  m.counter("fxhttp.server.stop.ended_requests", ofRequests, "Requests that have ended during the stop, by result. They also count in fxhttp.server.ended_requests."),
	}
	i.stopCounters = []stopCounter{
		{m.counter("fxhttp.server.stop.queued_connections", ofConnections, "Connections that the stop took from the accept queue."),
			func(r fxshutdown.Report) int { return r.Queued }},
		{m.counter("fxhttp.server.stop.unaccepted_connections", ofConnections, "Clients that were in the accept queue when the listener was closed, and were reset. Known only for TCP on Linux."),
			func(r fxshutdown.Report) int { return r.Unaccepted }},
		{m.counter("fxhttp.server.stop.idle_closed_connections", ofConnections, "Connections that the stop closed while they waited for a request."),
			func(r fxshutdown.Report) int { return r.IdleClosed }},
		{m.counter("fxhttp.server.stop.hijacked_closed_connections", ofConnections, "Hijacked connections that the stop closed."),
			func(r fxshutdown.Report) int { return r.HijackedClosed }},
		{m.counter("fxhttp.server.stop.unfinished_handshakes", "{handshake}", "Clients whose handshakes were under way when the listener was closed."),
			func(r fxshutdown.Report) int { return r.Handshakes }},
		{m.counter("fxhttp.server.stop.unbegun_requests", ofRequests, "Requests that were read and cut off before their handlers began. No other figure includes them."),
			func(r fxshutdown.Report) int { return r.Unbegun }},
		{m.counter("fxhttp.server.stop.cancelled_requests", ofRequests, "Requests whose contexts the stop cancelled, and that were not aborted. They also count as answered or ended."),
			func(r fxshutdown.Report) int { return r.Cancelled }},
		{m.counter("fxhttp.server.stop.waited_for_requests", ofRequests, "Requests and hijacked connections that kept the stop waiting when its time was over."),
			func(r fxshutdown.Report) int { return r.WaitedFor }},
	}
	i.all = m.all
	return i, errors.Join(m.errs...)
}

// maker makes instruments, and keeps them and what went wrong.
type maker struct {
	meter metric.Meter
	all   []metric.Observable
	errs  []error
}

func (m *maker) keep(o metric.Observable, err error) {
	m.all = append(m.all, o)
	if err != nil {
		m.errs = append(m.errs, err)
	}
}

func (m *maker) counter(name, unit, text string) metric.Int64ObservableCounter {
	i, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.keep(i, err)
	return i
}

func (m *maker) upDown(name, unit, text string) metric.Int64ObservableUpDownCounter {
	i, err := m.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.keep(i, err)
	return i
}

func (m *maker) gauge(name, unit, text string) metric.Int64ObservableGauge {
	i, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.keep(i, err)
	return i
}

func (m *maker) seconds(name, text string) metric.Float64ObservableGauge {
	i, err := m.meter.Float64ObservableGauge(name, metric.WithUnit(seconds), metric.WithDescription(text))
	m.keep(i, err)
	return i
}
