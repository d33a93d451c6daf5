module github.com/fxshutdown/fxhttp/internal/websockettest

go 1.26

require github.com/fxshutdown/fxhttp v0.0.0

require github.com/coder/websocket v1.8.15 // indirect

replace github.com/fxshutdown/fxhttp => ../..
