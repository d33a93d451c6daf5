// Command service listens through the upgrader, on the network and address that are its
// first arguments, and answers with the number of its process; a request for /slow when
// the file "go" is there. It fails to start if the file "fail" is there, and if "fail-port"
// is there since its second server cannot listen.
package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/fxshutdown/fxhttp"
	fxhttptableflip "github.com/fxshutdown/fxhttp/tableflip"
	"go.uber.org/fx"
)

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func main() {
	network, addr := os.Args[1], os.Args[2]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.URL.Path == "/slow" && !exists("go") {
			time.Sleep(5 * time.Millisecond)
		}
		fmt.Fprint(w, os.Getpid())
	})
	options := []fxhttptableflip.Option{
		fxhttptableflip.WithListen(network, addr),
		fxhttptableflip.WithPIDFile("pid"),
	}
	servers := []fx.Option{fxhttp.Module(fxhttp.WithHandler(handler), fxhttp.WithUnreadySignals(), fxhttp.WithShutdownDelay(time.Second))}
	if exists("fail-port") {
		servers = append(servers, fxhttp.Module(fxhttp.WithName("second"), fxhttp.WithHandler(handler)))
		options = append(options, fxhttptableflip.WithNamedListen("second", "tcp", "192.0.2.1:1"))
	}
	fx.New(fx.NopLogger, fx.Options(servers...),
		fx.Invoke(func(lc fx.Lifecycle) {
			lc.Append(fx.StartHook(func() error {
				if exists("fail") {
					return errors.New("told to fail")
				}
				return nil
			}))
		}),
		fxhttptableflip.Module(options...),
	).Run()
}
