// Package recipe says what a recipe of this module is: a real component, the
// configurations in which a service is rolled behind it without losing a request, and
// those that look right and lose requests.
//
// A recipe has a directory of its own, with a page, its configurations as files that a
// user can copy, and a package whose function Recipe returns it. The command has the list
// of all recipes.
package recipe

import (
	"context"
	"io"
	"time"
)

// A Recipe is a way to deploy a service.
type Recipe struct {
	Name    string // of its directory, and on the command line
	Title   string // in the table of results
	Needs   []Tool
	Check   func() error // says what else is missing; nil if nothing else is needed
	Configs []Config     // the one to be copied is the first
}

// A Tool is a program that has to be there.
type Tool struct {
	Program string   // as it is found in PATH
	Package string   // of Debian, in which it is
	Version []string // the arguments with which it prints its version; none if it has none
}

// A Config is one way to set up a recipe.
type Config struct {
	Name  string // of its results; unique in the recipe
	About string // what it is, in the table
	Loses string // what is wrong with it; "" if it loses nothing

	// Load are flags of draincheck beside those that all configurations have.
	Load []string

	// Instances is how many there are. A roll stops and starts each of them once, one
	// after another.
	Instances int

	// Settle is how long an instance serves before the next one is stopped: what a
	// deployment must wait after readiness, until the component notices it.
	Settle time.Duration

	// MostRolls, if it is not zero, bounds the number of rolls, for a configuration whose
	// stops take long.
	MostRolls int

	// Start starts everything: the component, and all instances, ready to serve. Nothing
	// is left if it fails.
	Start func(context.Context, *Stage) (Deployment, error)
}

// A Side is what the instances serve with.
type Side string

const (
	FxHTTP  Side = "fxhttp"
	NetHTTP Side = "net/http" // http.Server.Shutdown, with the same readiness and delay
)

// A Stage is what a configuration is started on.
type Stage struct {
	Side    Side
	Dir     string // an empty directory, removed after the deployment
	Example string // the example service, built
	CertDir string // fullchain.pem, privkey.pem, and both.pem, which has both

	// Log is where the component's standard error goes; nil: nowhere.
	Log io.Writer
}

// A Deployment is a configuration that runs. Stop and Start are called one after another.
type Deployment interface {
	// URL is what clients load, without a path. The example service is behind it.
	URL() string

	// Stop ends instance i, in the way that the recipe teaches, and returns when its
	// process has ended.
	Stop(ctx context.Context, i int) (Stopped, error)

	// Start starts instance i again and returns when it is ready.
	Start(ctx context.Context, i int) error

	// Close ends everything that runs, including the instances.
	Close()
}

// Stopped says how an instance has ended.
type Stopped struct {
	Took   time.Duration // from the signal to the end of the process
	Failed bool          // its exit code was not 0
}
