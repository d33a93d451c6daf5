package fxhttpadmin

import (
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// These types are what the page receives. Times are in milliseconds, and count from now or
// from the beginning of the stop, because the browser's clock may differ.
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

		// InFlight lists the oldest requests, at most maxRequests; Stats counts all.
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
		Phase    string       `json:"phase,omitempty"` // the one that is running, if any
		Phases   []phaseState `json:"phases"`          // those that have ended
		Skipped  string       `json:"skipped,omitempty"`

		// Force is when the force phase begins, and End when the stop ends at the latest.
		// Both are zero if there is no limit, and when the stop is over.
		Force int64 `json:"force,omitempty"`
		End   int64 `json:"end,omitempty"`

		// WaitsFor lists the oldest requests that hold the stop, at most maxRequests;
		// Waiting counts all.
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
	stateStarting = "starting" // Start has not been called, or has not returned
	stateServing  = "serving"
	stateUnready  = "unready" // serving, after SetUnready
	stateStopping = "stopping"
	stateStopped  = "stopped"
	stateFailed   = "failed" // the listener failed
)

// maxRequests is how many requests of a server the page shows.
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
	progress := server.Progress() // zero if the stop has just ended; the next look shows that
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
