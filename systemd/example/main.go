// Command example is a service of twenty lines for systemd. It uses the socket "http" of a
// .socket unit, and Type=notify. The unit files are in deploy/systemd.
package main

import (
	"fmt"
	"net/http"

	"github.com/fxshutdown/fxhttp"
	fxhttpsystemd "github.com/fxshutdown/fxhttp/systemd"
	"go.uber.org/fx"
)

func newHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
}

func main() {
	fx.New(
		fxhttp.Module(fxhttp.WithUnreadySignals()),
		fx.Provide(newHandler),
		fxhttpsystemd.Module(fxhttpsystemd.WithSocket("http"), fxhttpsystemd.WithOwnListeners()),
	).Run()
}
