package fxhttpprom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Metrics of a server as long as it lives.
var (
	readyDesc       = newDesc("ready", "1 while the server is ready; 0 before it serves, once it was made unready, and once its stop has begun.")
	connectionsDesc = newDesc("connections", "Open connections by state: new ones have sent nothing yet, hijacked ones were taken over by a handler.", "state")
	waitingDesc     = newDesc("connections_waiting", "Clients in the accept queue of a TCP listener on Linux; 0 elsewhere.")
	acceptedDesc    = newDesc("connections_accepted_total", "Connections accepted since the start.")
	closedDesc      = newDesc("connections_closed_total", "Connections closed since the start, by reason: idle (a stop closed it while it waited for a request), cut (by force), other (closed by the client, after a response, by a timeout, or by the handler that had hijacked it).", "reason")
	retiredDesc     = newDesc("connections_retired_total", "Connections whose clients were told to go while the server served, by reason: age, requests (their number), chosen (by Retire).", "reason")
	inFlightDesc    = newDesc("requests_in_flight", "Handlers that are running now, including those of hijacked connections.")
	undecidedDesc   = newDesc("requests_undecided", "Requests that are running, or whose response is not known to be written.")
	requestsDesc    = newDesc("requests_total", "Requests that have ended since the start, by result: answered, failed (panic or short response), ended (a stream told to end), hijacked, aborted (cut off by a stop).", "result")
)

// Metrics of its stop.
var (
	phaseDesc         = newDesc("stop_phase", "1 for the phase of the stop that is running now, 0 for the others and outside of a stop.", "phase")
	beganDesc         = newDesc("stop_start_timestamp_seconds", "When the stop began, in seconds since the epoch. Absent before it.")
	forceAtDesc       = newDesc("stop_force_timestamp_seconds", "When the force phase of the stop begins, in seconds since the epoch. Absent outside of a stop, and without a limit.")
	endAtDesc         = newDesc("stop_limit_timestamp_seconds", "Latest end of the stop, in seconds since the epoch. Absent outside of a stop, and without a limit.")
	durationDesc      = newDesc("stop_duration_seconds", "How long the stop took, or has taken so far, in seconds. 0 before it.")
	resultDesc        = newDesc("stop_result", "1 for how the stop went: graceful, lossy (something was cut before the time was over), forced. Absent until it is over.", "result")
	phaseDurationDesc = newDesc("stop_phase_duration_seconds", "How long a phase of the stop took, in seconds. Absent until the phase is over.", "phase")
	phaseResultDesc   = newDesc("stop_phase_result", "1 for how a phase went: complete, incomplete, skipped, no_room (a delay that did not fit). Absent until the stop is over.", "phase", "result")
	stopRequestsDesc  = newDesc("stop_requests_total", "Requests that have ended during the stop, by result. They also count in fxhttp_requests_total.", "result")
)

// stopCounters are the other figures of a report, each 0 before the stop.
var stopCounters = []struct {
	desc *prometheus.Desc
	of   func(fxshutdown.Report) int
}{
	{newDesc("stop_connections_queued_total", "Connections that the stop took from the accept queue."),
		func(r fxshutdown.Report) int { return r.Queued }},
	{newDesc("stop_connections_unaccepted_total", "Clients that were in the accept queue when the listener was closed, and were reset. Known only for TCP on Linux."),
		func(r fxshutdown.Report) int { return r.Unaccepted }},
	{newDesc("stop_idle_closed_total", "Connections that the stop closed while they waited for a request."),
		func(r fxshutdown.Report) int { return r.IdleClosed }},
	{newDesc("stop_hijacked_closed_total", "Hijacked connections that the stop closed."),
		func(r fxshutdown.Report) int { return r.HijackedClosed }},
	{newDesc("stop_handshakes_unfinished_total", "Clients whose handshakes were under way when the listener was closed."),
		func(r fxshutdown.Report) int { return r.Handshakes }},
	{newDesc("stop_requests_unbegun_total", "Requests that were read and cut off before their handlers began. No other figure includes them."),
		func(r fxshutdown.Report) int { return r.Unbegun }},
	{newDesc("stop_requests_cancelled_total", "Requests whose contexts the stop cancelled, and that were not aborted. They also count as answered or ended."),
		func(r fxshutdown.Report) int { return r.Cancelled }},
	{newDesc("stop_requests_waited_for_total", "Requests and hijacked connections that kept the stop waiting when its time was over."),
		func(r fxshutdown.Report) int { return r.WaitedFor }},
}

// descs are all of them.
var descs = allDescs()

func allDescs() []*prometheus.Desc {
	all := []*prometheus.Desc{
		readyDesc, connectionsDesc, waitingDesc, acceptedDesc, closedDesc, retiredDesc, inFlightDesc, undecidedDesc, requestsDesc,
		phaseDesc, beganDesc, forceAtDesc, endAtDesc, durationDesc, resultDesc, phaseDurationDesc, phaseResultDesc, stopRequestsDesc,
	}
	for _, c := range stopCounters {
		all = append(all, c.desc)
	}
	return all
}

// newDesc describes a metric. Every one has the label server. No label has a value that a
// client could choose.
func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("fxhttp_"+name, help, append([]string{"server"}, labels...), nil)
}
