module github.com/fxshutdown/fxhttp/systemd

go 1.26

require (
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/fxshutdown/fxhttp v0.0.0
	go.uber.org/fx v1.24.0
	go.uber.org/goleak v1.3.0
	go.uber.org/zap v1.28.0
)

require (
	go.uber.org/dig v1.19.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	golang.org/x/sys v0.1.0 // indirect
)

replace github.com/fxshutdown/fxhttp => ..
