// Package supervised runs the service of the recipes of supervisors under a systemd of
// its own. What these recipes teach is a handover on one machine: there is one instance
// at a time, and clients talk to it directly.
package supervised

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/child"
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/internal/systemdns"
)

// Deployment is a service under systemd.
type Deployment struct {
	Systemd *systemdns.Manager
	addr    string
}

// Start starts systemd with these unit files, as they are shown to users. It replaces
// their program by the one of this package, with flags, and their port 8080 by a free
// one.
func Start(ctx context.Context, stage *recipe.Stage, flags string, units map[string]string) (*Deployment, error) {
	ports, err := child.Ports(1)
	if err != nil {
		return nil, err
	}
	d := &Deployment{addr: "127.0.0.1:" + strconv.Itoa(ports[0])}
	bin := filepath.Join(stage.Dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(bin, "app"), "github.com/fxshutdown/fxhttp/deploy/internal/supervised/program")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the service: %w\n%s", err, out)
	}
	program := "/run/bin/app -addr " + d.addr + " " + flags
	if stage.Side == recipe.NetHTTP {
		program += " -bare"
	}
	replaced := make(map[string]string)
	for name, text := range units {
		replaced[name] = strings.NewReplacer("/usr/local/bin/app", program, "ListenStream=8080", "ListenStream="+d.addr,
			"User=app\n", "").Replace(text) // a user that is not there
	}
	if d.Systemd, err = systemdns.Start(ctx, stage.Dir, replaced); err != nil {
		return nil, err
	}
	return d, nil
}

// URL is what clients ask.
func (d *Deployment) URL() string { return "http://" + d.addr }

// Close ends everything.
func (d *Deployment) Close() { d.Systemd.Close() }

// Begin starts units, and returns when they are ready.
func (d *Deployment) Begin(ctx context.Context, units ...string) error {
	_, err := d.Systemd.Ctl(ctx, append([]string{"start"}, units...)...)
	return err
}

// End stops a unit, and says how that has ended.
func (d *Deployment) End(ctx context.Context, unit string) (recipe.Stopped, error) {
	began := time.Now()
	if _, err := d.Systemd.Ctl(ctx, "stop", unit); err != nil {
		return recipe.Stopped{}, err
	}
	took := time.Since(began)
	result, err := d.Systemd.Show(ctx, unit, "Result")
	return recipe.Stopped{Took: took, Failed: result != "success"}, err
}
