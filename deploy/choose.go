package main

import (
	"flag"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
)

// invocation is what the command line asks for.
type invocation struct {
	names   []string
	rolls   int
	side    string
	short   bool
	write   bool
	table   bool
	verbose bool
}

// parse reads the command line. Names may stand before flags.
func parse(args []string) (*invocation, error) {
	inv := new(invocation)
	fs := flag.NewFlagSet("deploy", flag.ContinueOnError)
	fs.IntVar(&inv.rolls, "rolls", 2, "how often to stop and start each instance")
	fs.StringVar(&inv.side, "side", "", "only this side: fxhttp or net/http")
	fs.BoolVar(&inv.short, "short", false, "roll each configuration that loses nothing once, with fxhttp; all recipes if none is named")
	fs.BoolVar(&inv.write, "write", false, "merge the results into results.json, and write the table of README.md")
	fs.BoolVar(&inv.verbose, "v", false, "show what the components print")
	fs.BoolVar(&inv.table, "table", false, "only write the table of README.md again")
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if args = fs.Args(); len(args) > 0 {
			inv.names = append(inv.names, args[0])
			args = args[1:]
		}
	}
	if inv.rolls < 1 {
		return nil, fmt.Errorf("-rolls %d: want 1 or more", inv.rolls)
	}
	switch recipe.Side(inv.side) {
	case "", recipe.FxHTTP, recipe.NetHTTP:
	default:
		return nil, fmt.Errorf("-side %s: want %s or %s", inv.side, recipe.FxHTTP, recipe.NetHTTP)
	}
	if inv.short {
		inv.rolls, inv.side = 1, string(recipe.FxHTTP)
		if len(inv.names) == 0 {
			inv.names = []string{"all"}
		}
	}
	return inv, nil
}

// A task is a configuration to be rolled with one side.
type task struct {
	recipe *recipe.Recipe
	config *recipe.Config
	side   recipe.Side
}

func (t task) String() string { return fmt.Sprintf("%s/%s, %s", t.recipe.Name, t.config.Name, t.side) }

// choose finds the named tasks: "all", a recipe, or recipe/configuration.
func choose(recipes []recipe.Recipe, inv *invocation) ([]task, error) {
	var todo []task
	for _, name := range inv.names {
		n := len(todo)
		known := false
		for i := range recipes {
			r := &recipes[i]
			for j := range r.Configs {
				c := &r.Configs[j]
				if name != "all" && name != r.Name && name != r.Name+"/"+c.Name {
					continue
				}
				known = true
				if inv.short && c.Loses != "" {
					continue
				}
				for _, side := range []recipe.Side{recipe.FxHTTP, recipe.NetHTTP} {
					if inv.side == "" || inv.side == string(side) {
						todo = append(todo, task{r, c, side})
					}
				}
			}
		}
		switch {
		case !known:
			return nil, fmt.Errorf("there is no recipe %q: deploy/run without arguments lists all", name)
		case n == len(todo):
			return nil, fmt.Errorf("%s loses requests, so -short has nothing to roll", name)
		}
	}
	return todo, nil
}

// missing says which program is not there.
func (t task) missing() error {
	for _, tool := range t.recipe.Needs {
		if _, err := exec.LookPath(tool.Program); err != nil {
			return fmt.Errorf("%s needs %s: apt-get install %s", t.recipe.Name, tool.Program, tool.Package)
		}
	}
	if t.recipe.Check != nil {
		return t.recipe.Check()
	}
	return nil
}

// verdict is an error if a configuration that must lose nothing lost something.
func (t task) verdict(r *results.Result) error {
	if t.config.Loses != "" || t.side != recipe.FxHTTP || r.Failed()+r.Refused == 0 {
		return nil
	}
	return fmt.Errorf("%s: %d of %d requests failed, %d connections were refused", t, r.Failed(), r.Sent, r.Refused)
}

func describe(t task, r *results.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rolls, %d requests, %d lost, %d answered with an error, %d refused, %d over 0.9 s",
		t, r.Rolls, r.Sent, r.Lost, r.BadStatus, r.Refused, r.Slow)
	fmt.Fprintf(&b, "; a stop took %v, at most %v; p99 %v", r.Stops.Median.Duration(), r.Stops.Max.Duration(), r.P99.Duration())
	if r.Ends != nil {
		fmt.Fprintf(&b, "; streams: %d ended politely, %d cut", r.Ends.Polite, r.Ends.Cut)
	}
	if r.Stops.Failed > 0 {
		fmt.Fprintf(&b, "; %d of %d stops ended with an exit code", r.Stops.Failed, r.Stops.Count)
	}
	for _, causes := range []string{counts(r.Causes), counts(r.Statuses)} {
		if causes != "" {
			fmt.Fprintf(&b, "; %s", causes)
		}
	}
	fmt.Fprintf(&b, "; load %.1f", max(r.Load[0], r.Load[1]))
	return b.String()
}

// counts lists a map in the order of its keys, which is fmt's.
func counts[K comparable](m map[K]int) string {
	if len(m) == 0 {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(m), "map["), "]")
}

// list prints all recipes and configurations.
func list(out io.Writer, recipes []recipe.Recipe) {
	for _, r := range recipes {
		fmt.Fprintf(out, "%s (%s)\n", r.Name, r.Title)
		for _, c := range r.Configs {
			about := c.About
			if c.Loses != "" {
				about = "loses: " + about
			}
			fmt.Fprintf(out, "  %s/%s: %s\n", r.Name, c.Name, about)
		}
	}
}
