// Command example is a service of twenty lines. SIGHUP upgrades it in place, to the program
// that its file contains at that time.
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
