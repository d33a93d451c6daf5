package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
)

// runBare runs the API as one would without fxhttp: an http.Server whose hooks
// call Serve and Shutdown.
func runBare(addr string, protocols *http.Protocols, useTLS bool, work time.Duration) {
	fx.New(
		fx.Provide(zap.NewProduction, newDatabase, newAPI(work)),
		fx.Invoke(func(lc fx.Lifecycle, api http.Handler) {
			srv := &http.Server{Handler: api, Protocols: protocols}
			if useTLS {
				srv.TLSConfig = selfSigned()
			}
			lc.Append(fx.Hook{
				OnStart: func(context.Context) error {
					ln, err := net.Listen("tcp", addr)
					if err != nil {
						return err
					}
					if useTLS {
						go srv.ServeTLS(ln, "", "")
					} else {
						go srv.Serve(ln)
					}
					return nil
				},
				OnStop: srv.Shutdown,
			})
		}),
		fx.StopTimeout(15*time.Second),
		fx.WithLogger(quietFx),
	).Run()
}
