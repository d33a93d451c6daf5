// Package haproxy is the recipe of HAProxy. Its README says which configuration, and why.
package haproxy

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/proxied"
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
)

//go:embed haproxy.cfg
var good string

//go:embed runtime.cfg
var runtime string

//go:embed state.sh
var stateScript string

//go:embed h2.cfg
var h2 string

//go:embed tcp-check.cfg
var tcpCheck string

// delay is the ShutdownDelay that the configurations with health checks ask for.
const delay = 1500 * time.Millisecond

// Recipe returns the recipe.
func Recipe() recipe.Recipe {
	streams := config("streams", "the same with event streams and WebSockets", "", proxied.Proxy{Files: file(good), Delay: delay})
	streams.Load, streams.MostRolls = proxied.Streams, 1
	return recipe.Recipe{
		Name:  "haproxy",
		Title: "HAProxy",
		Needs: []recipe.Tool{
			{Program: "haproxy", Package: "haproxy", Version: []string{"-v"}},
			{Program: "socat", Package: "socat"},
		},
		Configs: []recipe.Config{
			config("haproxy", "readiness by `httpchk`, with a delay of 1.5 s", "", proxied.Proxy{Files: file(good), Delay: delay}),
			config("runtime", "`set server … state drain` before the stop, no delay", "", proxied.Proxy{
				Files: file(runtime), RunDir: "/run/haproxy", BeforeStop: setState("drain"), AfterStart: setState("ready")}),
			config("h2", "TLS and HTTP/2 for clients, h2c to the service", "", proxied.Proxy{Files: file(h2), TLS: true, Delay: delay}),
			streams,
			config("no-delay", "`haproxy` without a delay: only `redispatch`", "", proxied.Proxy{Files: file(good)}),
			config("tcp-check", "a check that only connects", "503 from the close of the port to the next check", proxied.Proxy{Files: file(tcpCheck)}),
		},
	}
}

func config(name, about, loses string, p proxied.Proxy) recipe.Config {
	p.Name = "haproxy"
	p.Command = func(dir string) *exec.Cmd {
		return exec.Command("haproxy", "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	}
	return recipe.Config{Name: name, About: about, Loses: loses, Instances: proxied.Instances, Settle: 1500 * time.Millisecond, Start: p.Start}
}

// setState runs the script that a deployment would.
func setState(state string) func(context.Context, *proxied.Running, int) error {
	return func(ctx context.Context, r *proxied.Running, i int) error {
		script := filepath.Join(r.Dir(), "state.sh")
		if err := os.WriteFile(script, []byte(stateScript), 0o755); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "bash", script, "app/"+[]string{"one", "two"}[i], state)
		cmd.Env = append(os.Environ(), "HAPROXY_SOCKET="+filepath.Join(r.Dir(), "admin.sock"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("state.sh: %w\n%s", err, out)
		}
		return nil
	}
}

func file(text string) map[string]string { return map[string]string{"haproxy.cfg": text} }
