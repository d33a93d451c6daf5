module github.com/fxshutdown/fxhttp/deploy

go 1.26

require (
	github.com/cloudflare/tableflip v1.2.3
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/fxshutdown/fxhttp v0.0.0
	github.com/fxshutdown/fxhttp/systemd v0.0.0
	github.com/fxshutdown/fxhttp/tableflip v0.0.0
	go.uber.org/fx v1.24.0
	golang.org/x/sys v0.43.0
)

require (
	go.uber.org/dig v1.19.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
)

replace (
	github.com/fxshutdown/fxhttp => ..
	github.com/fxshutdown/fxhttp/systemd => ../systemd
	github.com/fxshutdown/fxhttp/tableflip => ../tableflip
)
