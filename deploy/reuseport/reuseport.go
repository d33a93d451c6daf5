// Package reuseport is the recipe of a handover by SO_REUSEPORT. Its README says which
// configuration, and why.
package reuseport

import (
	"context"
	_ "embed"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/supervised"
)

//go:embed app@.service
var service string

// Recipe returns the recipe.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:  "reuseport",
		Title: "SO_REUSEPORT",
		Needs: supervised.Needs,
		Check: supervised.Check,
		Configs: []recipe.Config{
			config("reuseport", "the successor serves before the predecessor stops; `WithListenConfig`", "", "reuseport"),
			config("listener", "the same with `WithListener`", "a flood of new clients leaves no gap in which to close the listener, unless `net.ipv4.tcp_migrate_req` is 1", "reuseport-listener"),
		},
	}
}

func config(name, about, loses, how string) recipe.Config {
	return recipe.Config{Name: name, About: about, Loses: loses, Instances: 1, Settle: time.Second,
		Load: []string{"-newconn", "48", "-pause", "5ms"}, // new clients are what it is about
		Start: func(ctx context.Context, stage *recipe.Stage) (recipe.Deployment, error) {
			return start(ctx, stage, how)
		}}
}

// deployment is two instances, of which only one serves except during the handover.
type deployment struct {
	*supervised.Deployment
	serves, other string
}

func start(ctx context.Context, stage *recipe.Stage, how string) (recipe.Deployment, error) {
	s, err := supervised.Start(ctx, stage, "-how "+how, map[string]string{"app@.service": service})
	if err != nil {
		return nil, err
	}
	d := &deployment{s, "app@blue.service", "app@green.service"}
	if err := d.Begin(ctx, d.serves); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Stop starts the successor, and then stops the predecessor.
func (d *deployment) Stop(ctx context.Context, _ int) (recipe.Stopped, error) {
	if err := d.Begin(ctx, d.other); err != nil {
		return recipe.Stopped{}, err
	}
	d.serves, d.other = d.other, d.serves
	return d.End(ctx, d.other)
}

// Start has nothing to do: the successor serves.
func (d *deployment) Start(context.Context, int) error { return nil }
