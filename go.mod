module github.com/fxshutdown/fxhttp

go 1.26
