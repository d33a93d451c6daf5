// Command fxhttp serves the application with the module of this repository, in an Fx app.
package main

import (
	"net/http"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/bench/servers/app"
	"go.uber.org/fx"
)

func main() {
	s := app.Parse()
	options := []fxhttp.Option{
		fxhttp.WithAddr(s.Addr),
		fxhttp.WithReadHeaderTimeout(s.ReadHeaderTimeout), // zero is the default of fxhttp
		fxhttp.WithIdleTimeout(s.IdleTimeout),
	}
	if s.TLS() {
		options = append(options, fxhttp.WithTLSFiles(s.Cert, s.Key))
	}
	fx.New(
		fxhttp.Module(options...),
		fx.Provide(func() http.Handler { return app.Handler() }),
		fx.StopTimeout(s.Limit),
		fx.NopLogger,
	).Run()
}
