// Package subject lists what is compared, and how it is started and configured.
package subject

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Runtimes. Steady state is compared within one.
const (
	Go   = "go"
	Node = "node"
)

// A Subject is a way to serve and stop.
type Subject struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Runtime string `json:"runtime"`
	Version string `json:"version"`
	Config  string `json:"config"` // how its stop is configured
	Ours    bool   `json:"ours,omitempty"`
	HTTP2   bool   `json:"http2"`

	// Program is the Go program, and Args are its further arguments; "" is the program named like the ID.
	Program string   `json:"-"`
	Args    []string `json:"-"`

	// Module is the Go module, or the package of npm, that has the version; "" is the runtime itself.
	Module string `json:"-"`
}

// All are the subjects, ours first, each runtime's own way before the others.
func All() []Subject {
	return []Subject{
		{ID: "fxhttp", Name: "fxhttp (Fx module)", Runtime: Go, Ours: true, HTTP2: true,
			Module: "github.com/fxshutdown/fxhttp", Config: "fxhttp.Module(WithAddr), fx.StopTimeout(limit); defaults"},
		{ID: "fxshutdown", Name: "fxshutdown (without Fx)", Runtime: Go, Ours: true, HTTP2: true,
			Module: "github.com/fxshutdown/fxhttp", Config: "Stop with a context of the limit; defaults"},
		{ID: "nethttp", Name: "net/http Shutdown", Runtime: Go, HTTP2: true,
			Config: "signal.NotifyContext, Shutdown with a context of the limit"},
		{ID: "fxtutorial", Name: "Fx tutorial's server", Runtime: Go, HTTP2: true,
			Module: "go.uber.org/fx", Config: "OnStart: listen, go Serve; OnStop: Shutdown(ctx); fx.StopTimeout(limit)"},
		{ID: "echofx", Name: "Echo in Fx (as yokai)", Runtime: Go, HTTP2: true,
			Module: "github.com/labstack/echo/v4", Config: "OnStart: go Start; OnStop: Shutdown(ctx); fx.StopTimeout(limit)"},
		{ID: "graceful", Name: "tylerb/graceful", Runtime: Go, HTTP2: true,
			Module: "gopkg.in/tylerb/graceful.v1", Config: "graceful.Server{Timeout: limit} as graceful.Run makes it"},
		{ID: "manners", Name: "braintree/manners", Runtime: Go, HTTP2: true,
			Module: "github.com/braintree/manners", Config: "Close at the signal; the program adds the limit, since it has none"},
		{ID: "close", Name: "Node server.close", Runtime: Node, HTTP2: true,
			Config: "close, closeIdleConnections; closeAllConnections at the limit; HTTP/2: session.close on each"},
		{ID: "http-shutdown", Name: "npm http-shutdown", Runtime: Node,
			Module: "http-shutdown", Config: "shutdown; the program adds forceShutdown at the limit, since it has none"},
		{ID: "http-terminator", Name: "npm http-terminator", Runtime: Node,
			Module: "http-terminator", Config: "terminate, gracefulTerminationTimeout: limit"},
		{ID: "stoppable", Name: "npm stoppable", Runtime: Node,
			Module: "stoppable", Config: "stoppable(server, limit), stop"},
	}
}

// Variants are subjects with settings that cost something. They are measured only if they are asked for by name.
func Variants() []Subject {
	aged := func(id, age string) Subject {
		return Subject{ID: id, Name: "fxshutdown, MaxConnectionAge " + age, Runtime: Go, Ours: true, HTTP2: true,
			Program: "fxshutdown", Args: []string{"-max-connection-age", age},
			Module: "github.com/fxshutdown/fxhttp", Config: "Stop with a context of the limit; MaxConnectionAge " + age}
	}
	return []Subject{
		aged("fxshutdown-age10s", "10s"), // no connection reaches this age during the measurement
		aged("fxshutdown-age1s", "1s"),   // each retires, and its client dials again
	}
}

// Baseline is the ID of the subject whose steady state is 1.
func (s Subject) Baseline() string {
	if s.Runtime == Node {
		return "close"
	}
	return "nethttp"
}

// Find returns the subject with the ID.
func Find(all []Subject, id string) (Subject, bool) {
	i := slices.IndexFunc(all, func(s Subject) bool { return s.ID == id })
	if i < 0 {
		return Subject{}, false
	}
	return all[i], true
}

// A Place says where things are.
type Place struct {
	Bin   string // of the Go programs
	Peers string // of the Node programs
	Cert  string
	Key   string
}

// Timeouts of the Go servers in steady state, which are the defaults of fxhttp. Each costs a timer that every request
// moves several times, so a server that has none would seem faster for another reason than its way to stop.
const (
	ReadHeaderTimeout = 10 * time.Second
	IdleTimeout       = 120 * time.Second
)

// Steady returns the command line of the subject's server for its steady state.
func (p Place) Steady(s Subject, addr string, limit time.Duration) []string {
	argv := p.Command(s, addr, limit, false)
	if s.Runtime == Go {
		argv = append(argv,
			"-read-header-timeout", ReadHeaderTimeout.String(), "-idle-timeout", IdleTimeout.String())
	}
	return argv
}

// Command returns the command line of the subject's server.
func (p Place) Command(s Subject, addr string, limit time.Duration, https bool) []string {
	var argv []string
	if s.Runtime == Node {
		argv = []string{"node", "--expose-gc", filepath.Join(p.Peers, s.ID+".mjs"),
			"--addr", addr, "--limit", strconv.FormatInt(limit.Milliseconds(), 10)}
		if https {
			argv = append(argv, "--cert", p.Cert, "--key", p.Key)
		}
		return argv
	}
	argv = append([]string{filepath.Join(p.Bin, cmp.Or(s.Program, s.ID)), "-addr", addr, "-limit", limit.String()}, s.Args...)
	if https {
		argv = append(argv, "-cert", p.Cert, "-key", p.Key)
	}
	return argv
}
