package fxhttpadmin

import (
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// What the page is told. Times are milliseconds, and count from now or from the beginning
// of the stop: the browser's clock may be another.
type (
	snapshot struct {
		Servers []serverState `json:"servers"`
	}

	serverState struct {
		Name  string           `json:"name"`
		Addr  string           `json:"addr,omitempty"`
		State string           `json:"state"`
		Error string           `json:"error,omitempty"`
		Stats fxshutdown.Stats `json:"stats"`

		// InFlight has the oldest requests, maxRequests at most; Stats counts all.
		InFlight []requestState `json:"requests"`

		Stop *stopState `json:"stop,omitempty"`
	}

	requestState struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		Proto  string `json:"proto"`
		Remote string `json:"remote"`
		Age    int64  `json:"age"`
		Stream bool   `json:"stream"`
	}

	stopState struct {
		Elapsed  int64        `json:"elapsed"`
		Over     bool         `json:"over"`
		Graceful bool         `json:"graceful"`
		Phase    string       `json:"phase,omitempty"` // that runs now, if one does
		Phases   []phaseState `json:"phases"`          // that have run
		Skipped  string       `json:"skipped,omitempty"`

		// When the force begins, and when the stop ends at the latest. Both are zero if
		// there is no limit, and when the stop is over.
		Force int64 `json:"force,omitempty"`
		End   int64 `json:"end,omitempty"`

		// WaitsFor has the oldest of what holds the stop, maxRequests at most; Waiting
		// counts all.
		WaitsFor []requestState `json:"waits_for"`
		Waiting  int            `json:"waiting"`

		Cancelled      int `json:"cancelled"`
		Aborted        int `json:"aborted"`
		HijackedClosed int `json:"hijacked_closed"`
	}

	phaseState struct {
		Name string `json:"name"`
		Took int64  `json:"took"`
	}
)

// The states of a server, as the page shows them.
const (
	stateStarting = "starting" // Start was not called yet, or runs
	stateServing  = "serving"
	stateUnready  = "unready" // serving, after SetUnready
	stateStopping = "stopping"
	stateStopped  = "stopped"
	stateFailed   = "failed" // the listener failed
)

// maxRequests is how many requests of a server are shown.
const maxRequests = 100

func look(servers []fxhttp.NamedServer) (s snapshot) {
	for _, server := range servers {
		s.Servers = append(s.Servers, stateOf(server))
	}
	return s
}

func stateOf(named fxhttp.NamedServer) serverState {
	server := named.Server
	report := server.Report()
	progress := server.Progress() // zero if the stop ended a moment ago: the next look tells
	s := serverState{
		Name:     nameOf(named),
		Stats:    server.Stats(),
		InFlight: requestStates(server.InFlight()),
	}
	if addr := server.Addr(); addr != nil {
		s.Addr = addr.String()
	}
	switch err := server.Err(); {
	case report.Duration > 0:
		s.State = stateStopped
	case report.Trigger != "":
		s.State = stateStopping
	case err != nil:
		s.State, s.Error = stateFailed, err.Error()
	case s.Addr == "":
		s.State = stateStarting
	case !server.IsReady():
		s.State = stateUnready
	default:
		s.State = stateServing
	}
	if report.Trigger != "" {
		s.Stop = stopOf(named, report, progress)
	}
	return s
}

func requestStates(rs []fxshutdown.Request) []requestState {
	states := make([]requestState, 0, min(len(rs), maxRequests))
	for _, r := range rs[:min(len(rs), maxRequests)] {
		states = append(states, requestState{r.Method, r.Path, r.Proto, r.RemoteAddr, r.Age.Milliseconds(), r.Stream})
	}
	return states
}

func stopOf(named fxhttp.NamedServer, report fxshutdown.Report, progress fxshutdown.Progress) *stopState {
	s := &stopState{
		Over:           report.Duration > 0,
		Graceful:       report.Graceful(),
		Elapsed:        time.Since(report.Began).Milliseconds(),
		Phases:         []phaseState{},
		WaitsFor:       []requestState{},
		Cancelled:      report.Cancelled,
		Aborted:        report.Aborted + report.Unbegun,
		HijackedClosed: report.HijackedClosed,
	}
	for _, p := range report.Phases {
		s.Phases = append(s.Phases, phaseState{string(p.Name), p.Duration.Milliseconds()})
	}
	if event, ok := named.StopBegan(); ok {
		s.Skipped = string(event.SkipReason)
	}
	if s.Over {
		s.Elapsed = report.Duration.Milliseconds()
		return s
	}
	s.Phase = string(progress.Phase)
	s.WaitsFor, s.Waiting = requestStates(progress.WaitsFor), len(progress.WaitsFor)
	if !progress.EndAt.IsZero() {
		s.Force = progress.ForceAt.Sub(report.Began).Milliseconds()
		s.End = progress.EndAt.Sub(report.Began).Milliseconds()
	}
	return s
}
