// Package tableflip is the recipe of tableflip. Its README says which configuration, and
// why.
package tableflip

import (
	"context"
	_ "embed"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/supervised"
)

//go:embed app.service
var service string

// Recipe returns the recipe.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:  "tableflip",
		Title: "tableflip",
		Needs: supervised.Needs,
		Check: supervised.Check,
		Configs: []recipe.Config{
			config("upgrade", "`systemctl reload`: an upgrade by SIGHUP", "", "tableflip", upgraded),
			config("stop", "the last stop, and a new start, for comparison", "clients that come while no process is there are refused", "tableflip", stopped),
			config("stop-forgotten", "the same without `Upgrader.Stop`", "the socket stays open after the servers have stopped, and the end of the process resets its queue", "tableflip-forgotten", stopped),
		},
	}
}

type roll func(*supervised.Deployment) recipe.Deployment

func config(name, about, loses, how string, r roll) recipe.Config {
	return recipe.Config{Name: name, About: about, Loses: loses, Instances: 1, Settle: time.Second,
		Start: func(ctx context.Context, stage *recipe.Stage) (recipe.Deployment, error) {
			d, err := supervised.Start(ctx, stage, "-how "+how, map[string]string{"app.service": service})
			if err != nil {
				return nil, err
			}
			if err := d.Begin(ctx, unit); err != nil {
				d.Close()
				return nil, err
			}
			return r(d), nil
		}}
}

const unit = "app.service"

// stopping is stopped, and started again.
type stopping struct{ *supervised.Deployment }

func stopped(d *supervised.Deployment) recipe.Deployment { return stopping{d} }

func (d stopping) Stop(ctx context.Context, _ int) (recipe.Stopped, error) { return d.End(ctx, unit) }
func (d stopping) Start(ctx context.Context, _ int) error                  { return d.Begin(ctx, unit) }

// upgrading replaces itself.
type upgrading struct{ *supervised.Deployment }

func upgraded(d *supervised.Deployment) recipe.Deployment { return upgrading{d} }

// Stop upgrades, and returns when the successor is the main process for systemd, that is,
// when the predecessor has ended. Its time begins with the order, so it includes the
// start of the successor.
func (d upgrading) Stop(ctx context.Context, _ int) (recipe.Stopped, error) {
	before, err := d.Systemd.Show(ctx, unit, "MainPID")
	if err != nil {
		return recipe.Stopped{}, err
	}
	began := time.Now()
	if _, err := d.Systemd.Ctl(ctx, "reload", unit); err != nil {
		return recipe.Stopped{}, err
	}
	for {
		now, err := d.Systemd.Show(ctx, unit, "MainPID")
		if err != nil {
			return recipe.Stopped{}, err
		}
		if now != before {
			return recipe.Stopped{Took: time.Since(began), Failed: now == "0"}, nil
		}
	}
}

// Start has nothing to do: the successor serves.
func (d upgrading) Start(context.Context, int) error { return nil }
