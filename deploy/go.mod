module github.com/fxshutdown/fxhttp/deploy

go 1.26

require github.com/fxshutdown/fxhttp v0.0.0

replace github.com/fxshutdown/fxhttp => ..
