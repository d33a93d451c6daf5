package fxhttp_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A handler that needs a database takes it from the graph: the database starts before
// the server, and is closed after the server has drained.
func ExampleModule() {
	type database struct{ name string }
	newDatabase := func(lc fx.Lifecycle) *database {
		lc.Append(fx.StartStopHook(
			func() { fmt.Println("database: open") },
			func() { fmt.Println("database: closed") },
		))
		return &database{"orders"}
	}
	newHandler := func(db *database) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, db.name) })
	}

	var server *fxshutdown.Server
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0")),
		fx.Provide(newDatabase, newHandler),

		fx.NopLogger, quiet, fx.Populate(&server), // for this example only
	)
	run(app, func() { fetch(fmt.Sprintf("http://%v/", server.Addr())) })
	fmt.Println("graceful:", server.Report().Graceful())
	// Output:
	// database: open
	// 200 orders
	// database: closed
	// graceful: true
}

// Two servers, of which one has settings from the app's own configuration.
func ExampleProvideNamedOption() {
	type AppConfig struct{ AdminAddr string }

	var servers struct {
		fx.In

		Admin *http.Server `name:"admin"`
		API   *http.Server
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithName("admin")),
		fxhttp.Module(),
		fxhttp.ProvideNamedOption("admin", func(cfg AppConfig) fxhttp.Option { return fxhttp.WithAddr(cfg.AdminAddr) }),
		fx.Supply(AppConfig{AdminAddr: "127.0.0.1:8081"}),

		fx.NopLogger, fx.Populate(&servers), // for this example only
	)
	fmt.Println(servers.Admin.Addr, servers.API.Addr, app.Err())
	// Output: 127.0.0.1:8081 :8080 <nil>
}

// The value group has all servers of the app, for instance for metrics.
func ExampleNamedServer() {
	count := func(servers []fxhttp.NamedServer) {
		for _, s := range servers {
			fmt.Println(s.Name, s.Server.Stats().InFlight)
		}
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithName("api"), fxhttp.WithHandler(http.NotFoundHandler())),
		fx.Invoke(fx.Annotate(count, fx.ParamTags(`group:"fxhttp.servers"`))),

		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err())
	// Output:
	// api 0
	// <nil>
}

// Settings as data, given as an option of Module: they override a Config in the graph.
func ExampleWithConfig() {
	var srv *http.Server
	app := fx.New(
		fxhttp.Module(fxhttp.WithConfig(fxhttp.Config{
			Addr:          "127.0.0.1:8080",
			WriteTimeout:  time.Minute,
			ShutdownDelay: 5 * time.Second,
		})),
		fx.Supply(fxhttp.Config{WriteTimeout: time.Hour, IdleTimeout: time.Hour}),

		fx.NopLogger, fx.Populate(&srv), // for this example only
	)
	fmt.Println(srv.Addr, srv.WriteTimeout, srv.IdleTimeout, app.Err())
	// Output: 127.0.0.1:8080 1m0s 1h0m0s <nil>
}

// The server takes over a listener that other code has opened.
func ExampleWithListener() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithListener(ln), fxhttp.WithHandler(http.NotFoundHandler())),

		fx.NopLogger, quiet, // for this example only
	)
	run(app, func() { fetch(fmt.Sprintf("http://%v/", ln.Addr())) })
	// Output: 404 404 page not found
}

// A certificate that is renewed while the server runs: fxhttp.WithTLSFiles reads its
// files once.
func ExampleWithTLS() {
	current := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair("cert.pem", "key.pem") // or from a cache
		return &cert, err
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr(":8443"), fxhttp.WithTLS(&tls.Config{GetCertificate: current})),
		fx.Provide(func() http.Handler { return http.NotFoundHandler() }),

		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err())
	// Output: <nil>
}

// The events go to a slog.Logger of your own, ordinary ones at debug level.
func ExampleWithLogger() {
	events := &fxshutdown.SlogLogger{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	events.UseLogLevel(slog.LevelDebug)

	var server *fxshutdown.Server
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithLogger(events)),
		fx.Provide(func() http.Handler { return http.NotFoundHandler() }),

		fx.NopLogger, fx.Populate(&server), // for this example only
	)
	run(app, func() { fetch(fmt.Sprintf("http://%v/", server.Addr())) })
	// Output: 404 404 page not found
}

// Module uses a *zap.Logger in the graph by default. Provide a ZapLogger to change its
// levels.
func ExampleZapLogger() {
	newLogger := func(logger *zap.Logger) fxshutdown.Logger {
		events := &fxhttp.ZapLogger{Logger: logger.Named("http")}
		events.UseLogLevel(zap.DebugLevel)
		return events
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithHandler(http.NotFoundHandler())),
		fx.Provide(zap.NewProduction, newLogger),

		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err())
	// Output: <nil>
}

// Readiness fails at the signal, not when Fx gets to this server. A second Ctrl-C ends the
// drain.
func ExampleWithUnreadySignals() {
	var server *fxshutdown.Server
	app := fx.New(
		fxhttp.Module(
			fxhttp.WithAddr("127.0.0.1:0"),
			fxhttp.WithUnreadySignals(),
			fxhttp.WithForceSignals(os.Interrupt),
			fxhttp.WithShutdownDelay(5*time.Second),
		),
		fx.Provide(func() http.Handler { return http.NotFoundHandler() }),

		fx.NopLogger, quiet, fx.Populate(&server), // for this example only
	)
	run(app, func() {
		server.SetUnready("as a signal would") // in a program: SIGTERM
		<-server.Unready()
		fmt.Println("readiness fails")
	})
	// Output: readiness fails
}

// The server that answers probes stops last, wherever it is listed.
func ExampleWithStopLast() {
	var servers struct {
		fx.In

		Admin *fxshutdown.Server `name:"admin"`
		API   *fxshutdown.Server
	}
	notFound := fxhttp.WithHandler(http.NotFoundHandler())
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0"), notFound),
		fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithStopLast(), fxhttp.WithAddr("127.0.0.1:0"), notFound),

		fx.NopLogger, quiet, fx.Populate(&servers), // for this example only
	)
	run(app, func() {})
	api, admin := servers.API.Report(), servers.Admin.Report()
	fmt.Println("admin stopped last:", !admin.Began.Before(api.Began.Add(api.Duration)))
	// Output: admin stopped last: true
}
