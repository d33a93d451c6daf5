// Package systemd is the recipe of systemd. Its README says which configuration, and why.
package systemd

import (
	"context"
	_ "embed"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/supervised"
)

//go:embed app.socket
var socket string

//go:embed app.service
var service string

//go:embed no-socket.service
var noSocket string

//go:embed short.service
var short string

// Recipe returns the recipe.
func Recipe() recipe.Recipe {
	return recipe.Recipe{
		Name:  "systemd",
		Title: "systemd",
		Needs: supervised.Needs,
		Check: supervised.Check,
		Configs: []recipe.Config{
			config("socket", "a socket of systemd's, with `Type=notify`", "", "", map[string]string{"app.socket": socket, "app.service": service}),
			config("short", "`TimeoutStopSec` shorter than a request: `fxhttpsystemd` extends it, net/http is killed", "", "-report 3s",
				map[string]string{"app.socket": socket, "app.service": short}),
			config("no-socket", "the service listens by itself", "clients that come while it restarts are refused", "", map[string]string{"app.service": noSocket}),
		},
	}
}

func config(name, about, loses, flags string, units map[string]string) recipe.Config {
	return recipe.Config{Name: name, About: about, Loses: loses, Instances: 1, Settle: time.Second,
		Start: func(ctx context.Context, stage *recipe.Stage) (recipe.Deployment, error) {
			d, err := supervised.Start(ctx, stage, "-how systemd "+flags, units)
			if err != nil {
				return nil, err
			}
			all := []string{"app.service"}
			if units["app.socket"] != "" {
				all = append(all, "app.socket")
			}
			if err := d.Begin(ctx, all...); err != nil {
				d.Close()
				return nil, err
			}
			return &deployment{d}, nil
		}}
}

type deployment struct{ *supervised.Deployment }

// Stop and Start are the halves of systemctl restart.
func (d *deployment) Stop(ctx context.Context, _ int) (recipe.Stopped, error) {
	return d.End(ctx, "app.service")
}

func (d *deployment) Start(ctx context.Context, _ int) error { return d.Begin(ctx, "app.service") }
