// Command service serves the sockets that its arguments name, each "server=socket", the
// unnamed server without "server=". A request is answered with the name of the socket
// that it came by; one for /slow when the file "go" is there. It is not well when the file
// "unwell" is there.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp"
	fxhttpsystemd "github.com/fxshutdown/fxhttp/systemd"
	"go.uber.org/fx"
)

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func newHealth() fxhttpsystemd.Health {
	return func(context.Context) error {
		if exists("unwell") {
			return errors.New("unwell")
		}
		return nil
	}
}

func main() {
	var servers []fx.Option
	var sockets []fxhttpsystemd.Option
	for _, arg := range os.Args[1:] {
		server, socket, named := strings.Cut(arg, "=")
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.URL.Path == "/slow" {
				if exists("go") {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			fmt.Fprint(w, socket)
		})
		options := []fxhttp.Option{fxhttp.WithHandler(handler), fxhttp.WithUnreadySignals()}
		if named {
			options = append(options, fxhttp.WithName(server))
			sockets = append(sockets, fxhttpsystemd.WithNamedSocket(server, socket))
		} else {
			socket = arg
			sockets = append(sockets, fxhttpsystemd.WithSocket(socket))
		}
		servers = append(servers, fxhttp.Module(options...))
	}
	app := fx.New(fx.NopLogger, fx.Options(servers...), fxhttpsystemd.AsHealth(newHealth), fxhttpsystemd.Module(sockets...))
	if err := app.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	app.Run()
}
