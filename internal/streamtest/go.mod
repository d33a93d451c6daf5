module github.com/fxshutdown/fxhttp/internal/streamtest

go 1.26

require (
	github.com/coder/websocket v1.8.15
	github.com/fxshutdown/fxhttp v0.0.0
	github.com/tmaxmax/go-sse v0.12.0
	go.uber.org/fx v1.24.0
	go.uber.org/goleak v1.3.0
	google.golang.org/grpc v1.82.0
	google.golang.org/protobuf v1.36.12
)

require (
	go.uber.org/dig v1.19.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/net v0.53.0 // indirect
	golang.org/x/sys v0.43.0 // indirect
	golang.org/x/text v0.36.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260414002931-afd174a4e478 // indirect
)

replace github.com/fxshutdown/fxhttp => ../..
