module github.com/fxshutdown/fxhttp/bench

go 1.26

require (
	github.com/braintree/manners v0.0.0-20150503212558-0b5e6b2c2843
	github.com/fxshutdown/fxhttp v0.0.0
	github.com/labstack/echo/v4 v4.16.0
	go.uber.org/fx v1.24.0
	gopkg.in/tylerb/graceful.v1 v1.2.15
)

require (
	github.com/labstack/gommon v0.5.0 // indirect
	github.com/mattn/go-colorable v0.1.15 // indirect
	github.com/mattn/go-isatty v0.0.22 // indirect
	github.com/valyala/bytebufferpool v1.0.0 // indirect
	github.com/valyala/fasttemplate v1.2.2 // indirect
	go.uber.org/dig v1.19.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/crypto v0.53.0 // indirect
	golang.org/x/net v0.56.0 // indirect
	golang.org/x/sys v0.46.0 // indirect
	golang.org/x/text v0.40.0 // indirect
)

replace github.com/fxshutdown/fxhttp => ../
