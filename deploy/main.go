// Command deploy rolls the example service behind real components under load, and says
// what clients lost: with the configurations that lose nothing, and with those that only
// look right.
//
//	deploy/run                          # lists all
//	deploy/run haproxy -rolls 10        # all configurations of HAProxy
//	deploy/run haproxy/tcp-check        # one of them
//	deploy/run all -rolls 20 -write     # all, into results.json and the README
//
// With -short it rolls each configuration that loses nothing once, with fxhttp alone, and
// fails if a request was lost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/fxshutdown/fxhttp/deploy/caddy"
	"github.com/fxshutdown/fxhttp/deploy/haproxy"
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
	"github.com/fxshutdown/fxhttp/deploy/internal/roll"
	"github.com/fxshutdown/fxhttp/deploy/nginx"
	"github.com/fxshutdown/fxhttp/deploy/reuseport"
	"github.com/fxshutdown/fxhttp/deploy/systemd"
	"github.com/fxshutdown/fxhttp/deploy/tableflip"
)

// recipes are all there are, in the order of the table. To add one, write its package and
// put it here.
func recipes() []recipe.Recipe {
	return []recipe.Recipe{
		haproxy.Recipe(),
		nginx.Recipe(),
		caddy.Recipe(),
		systemd.Recipe(),
		tableflip.Recipe(),
		reuseport.Recipe(),
	}
}

// The files of the results, in the directory of this module, where deploy/run runs.
const (
	resultsFile = "results.json"
	readme      = "README.md"
)

func main() {
	roll.StepIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "deploy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := parse(args)
	if err != nil {
		return err
	}
	if cfg.table {
		return publish(nil)
	}
	todo, err := choose(recipes(), cfg)
	if err != nil {
		return err
	}
	if len(todo) == 0 {
		list(out, recipes())
		return nil
	}
	runner, err := roll.Prepare(ctx)
	if err != nil {
		return err
	}
	defer runner.Close()
	if cfg.verbose {
		runner.Log = os.Stderr
	}
	var failed []error
	for _, t := range todo {
		if err := t.missing(); err != nil {
			failed = append(failed, err)
			continue
		}
		res, err := runner.Run(ctx, t.recipe, t.config, t.side, cfg.rolls)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		fmt.Fprintln(out, describe(t, res))
		if err := t.verdict(res); err != nil {
			failed = append(failed, err)
		}
		// One after another, so that what was measured is there if the next one fails.
		if cfg.write {
			if err := publish(res); err != nil {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

// publish merges a result into the file of all, and writes the table.
func publish(res *results.Result) error {
	set, err := results.Read(resultsFile)
	if err != nil {
		return err
	}
	if res != nil {
		set = set.Merge(*res)
		if err := set.Write(resultsFile); err != nil {
			return err
		}
	}
	return results.Publish(readme, results.Table(groups(recipes()), set))
}

func groups(recipes []recipe.Recipe) []results.Group {
	var all []results.Group
	for _, r := range recipes {
		g := results.Group{Title: r.Title}
		for _, c := range r.Configs {
			g.Rows = append(g.Rows, results.Row{Recipe: r.Name, Config: c.Name, About: c.About, Loses: c.Loses})
		}
		all = append(all, g)
	}
	return all
}
