// Command example is a small service on fxhttp: an API on one server, readiness
// and statistics on another, and a database to close after the last request.
//
//	go run ./example
//	curl -N localhost:8080/events      # and, in another terminal:
//	curl localhost:8080/report
//
// Then press Ctrl-C: the report is finished, the event stream says goodbye, the API server
// stops, the database is closed, and the admin server stops last.
//
// The API also has /items/{name}, /upload (POST) and /clock (a WebSocket). The admin
// server, on port 8081, has a page at / that shows the stop live, and /readyz, /stats and
// /requests, which lists the requests in flight. With -tls the API speaks TLS, with
// -delay 5s it reports that it is not ready for 5 s before it drains, and with -bare a
// plain http.Server serves it, to show the difference. To stop it with kill, send the
// signal to a built binary: go run does not pass it on.
package main

import (
	"flag"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"
	"go.uber.org/zap"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address of the API")
	admin := flag.String("admin", "127.0.0.1:8081", "address of readiness and statistics")
	work := flag.Duration("work", 2*time.Second, "how long a report takes")
	delay := flag.Duration("delay", 0, "ShutdownDelay of the API: how long readiness fails before the drain")
	useTLS := flag.Bool("tls", false, "serve the API with TLS, and a certificate made for this run")
	bare := flag.Bool("bare", false, "serve the API with a plain http.Server, for comparison; the admin server then has only /readyz")
	flag.Parse()

	// A log that nobody reads any longer, as after Ctrl-C in a pipe, must not end the
	// stop: a Go program that writes to such a pipe dies of SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)

	// Serve HTTP/1, and HTTP/2 with or without TLS.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	options := []fxhttp.Option{
		fxhttp.WithAddr(*addr),
		fxhttp.WithProtocols(&protocols),
		fxhttp.WithShutdownDelay(*delay),
		fxhttp.WithForceSignals(), // a second Ctrl-C ends the drain
	}
	if *useTLS {
		options = append(options, fxhttp.WithTLS(selfSigned()))
	}

	if *bare {
		runBare(*addr, *admin, &protocols, *useTLS, *delay, *work)
		return
	}
	fx.New(
		fxhttp.Module(options...),
		fxhttpadmin.Module(fxhttpadmin.WithAddr(*admin), fxhttpadmin.WithPage(), fxhttpadmin.WithRequests()),
		// Caddy's health checks use HTTP/2 without TLS if its proxied requests do.
		fxhttp.ProvideNamedOption("admin", func() fxhttp.Option { return fxhttp.WithProtocols(&protocols) }),
		fx.Provide(
			zap.NewProduction,
			newDatabase,
			newAPI(*work),
		),
		fx.StopTimeout(15*time.Second),
		fx.WithLogger(quietFx),
	).Run()
}

// quietFx logs what goes wrong in Fx, but not each constructor.
func quietFx(log *zap.Logger) fxevent.Logger {
	l := &fxevent.ZapLogger{Logger: log}
	l.UseLogLevel(zap.DebugLevel)
	return l
}
