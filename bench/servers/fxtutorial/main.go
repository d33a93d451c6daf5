// Command fxtutorial serves the application as the tutorial of Fx does: a plain [http.Server] with two lifecycle hooks.
package main

import (
	"context"
	"net"
	"net/http"

	"github.com/fxshutdown/fxhttp/bench/servers/app"
	"go.uber.org/fx"
)

func main() {
	s := app.Parse()
	fx.New(
		fx.Supply(s),
		fx.Provide(newHTTPServer),
		fx.Invoke(func(*http.Server) {}),
		fx.StopTimeout(s.Limit),
		fx.NopLogger,
	).Run()
}

func newHTTPServer(lc fx.Lifecycle, s app.Settings) *http.Server {
	srv := s.Server()
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			ln, err := net.Listen("tcp", srv.Addr)
			if err != nil {
				return err
			}
			if s.TLS() {
				go srv.ServeTLS(ln, s.Cert, s.Key)
			} else {
				go srv.Serve(ln)
			}
			return nil
		},
		OnStop: func(ctx context.Context) error {
			return srv.Shutdown(ctx)
		},
	})
	return srv
}
