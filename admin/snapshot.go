package fxhttpadmin

import (
	"slices"
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
		Phase    string       `json:"phase,omitempty"` // that runs now
		Phases   []phaseState `json:"phases"`          // that have run
		Skipped  string       `json:"skipped,omitempty"`

		// The budget, zero if there is no limit: when the force begins, when the stop
		// ends at the latest, and the time of the stop's context. A DrainTimeout, and a
		// second Stop with less time, end it earlier.
		Force int64 `json:"force,omitempty"`
		End   int64 `json:"end,omitempty"`
		Left  int64 `json:"left,omitempty"`

		Cancelled int `json:"cancelled"`
		Aborted   int `json:"aborted"`
		Cut       int `json:"cut"`
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
	case serverReady(named) != nil:
		s.State = stateUnready
	default:
		s.State = stateServing
	}
	if report.Trigger != "" {
		s.Stop = stopOf(named, report)
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

func stopOf(named fxhttp.NamedServer, report fxshutdown.Report) *stopState {
	s := &stopState{
		Over:      report.Duration > 0,
		Graceful:  report.Graceful(),
		Elapsed:   time.Since(report.Began).Milliseconds(),
		Phases:    []phaseState{},
		Cancelled: report.CancelledCount,
		Aborted:   report.AbortedCount + report.Unbegun,
		Cut:       report.CutCount,
	}
	for _, p := range report.Phases {
		s.Phases = append(s.Phases, phaseState{string(p.Name), p.Duration.Milliseconds()})
	}
	event, known := named.Stopping()
	if s.Over {
		s.Elapsed = report.Duration.Milliseconds()
	} else {
		s.Phase = string(running(report.Phases, event))
	}
	if known {
		s.Skipped = string(event.Skipped)
		if event.Left > 0 {
			end := event.Left - event.Reserve
			s.Force, s.End, s.Left = (end - event.Force).Milliseconds(), end.Milliseconds(), event.Left.Milliseconds()
		}
	}
	return s
}

// running tells which phase of a stop runs: the first that has not ended, in the order in
// which they run, and that will not be left out.
func running(ended []fxshutdown.Phase, event fxshutdown.Stopping) fxshutdown.PhaseName {
	order := []fxshutdown.PhaseName{
		fxshutdown.PhaseDelay, fxshutdown.PhaseAnnounce, fxshutdown.PhaseListener, fxshutdown.PhaseDrain,
	}
	if event.Spreads > 0 { // clients are told during the delay
		order[0], order[1] = order[1], order[0]
	}
	for _, name := range order {
		if name == fxshutdown.PhaseDelay && (event.Delay <= 0 || event.Skipped != "") {
			continue
		}
		if !slices.ContainsFunc(ended, func(p fxshutdown.Phase) bool { return p.Name == name }) {
			return name
		}
	}
	return fxshutdown.PhaseForce
}
