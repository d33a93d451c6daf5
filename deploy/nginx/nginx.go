// Package nginx is the recipe of nginx. Its README says which configuration, and why.
package nginx

import (
	_ "embed"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/proxied"
	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
)

//go:embed nginx.conf
var good string

//go:embed defaults.conf
var defaults string

//go:embed h2.conf
var h2 string

// Recipe returns the recipe.
func Recipe() recipe.Recipe {
	streams := config("streams", "the same with event streams and WebSockets", "", proxied.Proxy{Files: file(good)})
	streams.Load, streams.MostRolls = proxied.Streams, 1
	return recipe.Recipe{
		Name:  "nginx",
		Title: "nginx",
		Needs: []recipe.Tool{{Program: "nginx", Package: "nginx", Version: []string{"-v"}}},
		Configs: []recipe.Config{
			config("nginx", "`max_fails=0`, no delay", "", proxied.Proxy{Files: file(good)}),
			config("h2", "TLS and HTTP/2 for clients, TLS to the service", "", proxied.Proxy{Files: file(h2), TLS: true, ServiceTLS: true}),
			streams,
			config("connect-timeout", "`nginx` with nginx's default `proxy_connect_timeout`, 60 s", "", proxied.Proxy{Files: file(strings.Replace(good, "proxy_connect_timeout 300ms;", "", 1))}),
			config("defaults", "`keepalive` and otherwise defaults", "502 for 10 s when both were stopped within that time", proxied.Proxy{Files: file(defaults)}),
		},
	}
}

func config(name, about, loses string, p proxied.Proxy) recipe.Config {
	p.Name = "nginx"
	p.Command = func(dir string) *exec.Cmd {
		return exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"),
			"-g", "daemon off; pid "+filepath.Join(dir, "nginx.pid")+";")
	}
	return recipe.Config{Name: name, About: about, Loses: loses, Instances: proxied.Instances, Settle: 1500 * time.Millisecond, Start: p.Start}
}

func file(text string) map[string]string { return map[string]string{"nginx.conf": text} }
