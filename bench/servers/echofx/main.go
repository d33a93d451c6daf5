// Command echofx serves the application with Echo, started and shut down by two Fx hooks. It stands in for yokai's
// fxhttpserver, which does the same and could not be fetched.
package main

import (
	"context"
	"net/http"

	"github.com/fxshutdown/fxhttp/bench/servers/app"
	"github.com/labstack/echo/v4"
	"go.uber.org/fx"
)

func main() {
	s := app.Parse()
	fx.New(
		fx.Supply(s),
		fx.Provide(newEcho),
		fx.Invoke(func(*echo.Echo) {}),
		fx.StopTimeout(s.Limit),
		fx.NopLogger,
	).Run()
}

func newEcho(lc fx.Lifecycle, s app.Settings) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	for _, srv := range []*http.Server{e.Server, e.TLSServer} {
		srv.ReadHeaderTimeout, srv.IdleTimeout = s.ReadHeaderTimeout, s.IdleTimeout
	}
	e.Any("/*", echo.WrapHandler(app.Handler()))
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			if s.TLS() {
				go e.StartTLS(s.Addr, s.Cert, s.Key)
			} else {
				go e.Start(s.Addr)
			}
			return nil
		},
		OnStop: func(ctx context.Context) error {
			return e.Shutdown(ctx)
		},
	})
	return e
}
