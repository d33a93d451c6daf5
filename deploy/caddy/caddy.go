// Package caddy is the recipe of Caddy. Its README says which configuration, and why.
package caddy

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/proxied"
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
)

//go:embed Caddyfile
var good string

//go:embed defaults.Caddyfile
var defaults string

//go:embed tries.Caddyfile
var tries string

//go:embed h2.Caddyfile
var h2 string

// delay is the ShutdownDelay that the configurations with health checks ask for.
const delay = 1500 * time.Millisecond

// Recipe returns the recipe.
func Recipe() recipe.Recipe {
	streams := config("streams", "the same with event streams and WebSockets", "", proxied.Proxy{Files: file(good), Delay: delay})
	streams.Load, streams.MostRolls = proxied.Streams, 1
	return recipe.Recipe{
		Name:  "caddy",
		Title: "Caddy",
		Needs: []recipe.Tool{{Program: "caddy", Package: "caddy", Version: []string{"version"}}},
		Configs: []recipe.Config{
			config("caddy", "health checks and tries, with a delay of 1.5 s", "", proxied.Proxy{Files: file(good), Delay: delay}),
			config("h2", "TLS and HTTP/2 for clients, h2c to the service", "", proxied.Proxy{Files: file(h2), TLS: true, Delay: delay}),
			streams,
			config("tries", "only tries, no delay", "502 up to Caddy 2.11.1, for requests with a body", proxied.Proxy{Files: file(tries)}),
			config("defaults", "two servers, with defaults", "502 for each request that finds a port closed", proxied.Proxy{Files: file(defaults)}),
		},
	}
}

func config(name, about, loses string, p proxied.Proxy) recipe.Config {
	p.Name = "caddy"
	p.Command = func(dir string) *exec.Cmd {
		cmd := exec.Command("caddy", "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
		// Where it keeps certificates and its last configuration.
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
		return cmd
	}
	return recipe.Config{Name: name, About: about, Loses: loses, Instances: proxied.Instances, Settle: 1500 * time.Millisecond, Start: p.Start}
}

func file(text string) map[string]string { return map[string]string{"Caddyfile": text} }
