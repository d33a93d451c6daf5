package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
)

// runBare runs the API as an app without fxhttp would: with an http.Server whose hooks
// call Serve and Shutdown, and another one for readiness, which fails for the delay before
// Shutdown.
func runBare(addr, admin string, protocols *http.Protocols, useTLS bool, delay, work time.Duration) {
	var ready atomic.Bool
	fx.New(
		fx.Provide(zap.NewProduction, newDatabase, newAPI(work)),
		fx.Invoke(func(lc fx.Lifecycle) {
			mux := http.NewServeMux()
			mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
				if !ready.Load() {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			srv := &http.Server{Handler: mux, Protocols: protocols}
			lc.Append(fx.Hook{
				OnStart: func(context.Context) error {
					ln, err := net.Listen("tcp", admin)
					if err != nil {
						return err
					}
					go srv.Serve(ln)
					return nil
				},
				OnStop: func(context.Context) error { return srv.Close() },
			})
		}),
		fx.Invoke(func(lc fx.Lifecycle, api http.Handler) {
			// The timeouts are those that fxhttp has by default.
			srv := &http.Server{Handler: api, Protocols: protocols, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
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
					ready.Store(true)
					return nil
				},
				OnStop: func(ctx context.Context) error {
					ready.Store(false)
					time.Sleep(delay)
					return srv.Shutdown(ctx)
				},
			})
		}),
		fx.StopTimeout(15*time.Second),
		fx.WithLogger(quietFx),
	).Run()
}
