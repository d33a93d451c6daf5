module github.com/fxshutdown/fxhttp/cmd/draincheck

go 1.26
