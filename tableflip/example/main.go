// Command example is a service of twenty lines that SIGHUP upgrades in place, to what the
// file of the program holds by then.
package main

import (
	"fmt"
	"net/http"

	"github.com/fxshutdown/fxhttp"
	fxhttptableflip "github.com/fxshutdown/fxhttp/tableflip"
	"go.uber.org/fx"
)

func newHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
}

func main() {
	fx.New(
		fxhttp.Module(fxhttp.WithUnreadySignals()),
		fx.Provide(newHandler),
		fxhttptableflip.Module(fxhttptableflip.WithListen("tcp", "127.0.0.1:8080"), fxhttptableflip.WithPIDFile("example.pid")),
	).Run()
}
