//go:build unix

// Command program is the service of the recipes of supervisors: it answers POSTs to
// /upload at once, and those to /report after a while. It uses fxhttp, or with -bare,
// net/http as its documentation shows.
package main

import (
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/deploy/reuseport"
	fxhttpsystemd "github.com/fxshutdown/fxhttp/systemd"
	fxhttptableflip "github.com/fxshutdown/fxhttp/tableflip"
	"go.uber.org/fx"
)

// stopTimeout is that of both sides.
const stopTimeout = 15 * time.Second

func main() {
	how := flag.String("how", "", "systemd, tableflip, tableflip-forgotten, reuseport or reuseport-listener")
	addr := flag.String("addr", "", "where it listens, if systemd has no socket for it")
	pidFile := flag.String("pid-file", "/run/app/app.pid", "of tableflip")
	bare := flag.Bool("bare", false, "serve by http.Server alone")
	report := flag.Duration("report", 300*time.Millisecond, "how long a report takes")
	flag.Parse()
	signal.Ignore(syscall.SIGPIPE)

	mux := http.NewServeMux()
	mux.HandleFunc("/items/ready", func(http.ResponseWriter, *http.Request) {}) // draincheck asks for it
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(*report)
		io.WriteString(w, "done\n")
	})
	if *bare {
		serveBare(*how, *addr, *pidFile, mux)
		return
	}
	fx.New(append(options(*how, *addr, *pidFile), fx.StopTimeout(stopTimeout), fx.NopLogger,
		fx.Supply(fx.Annotate(mux, fx.As(new(http.Handler)))))...).Run()
}

func options(how, addr, pidFile string) []fx.Option {
	signals := fxhttp.WithUnreadySignals()
	switch how {
	case "systemd":
		return []fx.Option{
			fxhttp.Module(signals, fxhttp.WithAddr(addr)),
			fxhttpsystemd.Module(fxhttpsystemd.WithSocket("http"), fxhttpsystemd.WithOwnListeners()),
		}
	case "tableflip":
		return []fx.Option{
			fxhttp.Module(signals),
			fxhttptableflip.Module(fxhttptableflip.WithListen("tcp", addr), fxhttptableflip.WithPIDFile(pidFile)),
		}
	case "tableflip-forgotten":
		return []fx.Option{fxhttp.Module(signals, fxhttp.WithListener(listenByTableflip(addr, pidFile)))}
	case "reuseport":
		return []fx.Option{
			fxhttp.Module(signals, fxhttp.WithAddr(addr), fxhttp.WithListenConfig(net.ListenConfig{Control: reuseport.Control})),
			fxhttpsystemd.Module(),
		}
	case "reuseport-listener":
		return []fx.Option{fxhttp.Module(signals, fxhttp.WithListener(must(reuseport.Listen("tcp", addr)))), fxhttpsystemd.Module()}
	}
	return []fx.Option{fx.Error(os.ErrInvalid)}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
