package fxhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// run is app.Run for an example: it calls use while the app runs, instead of
// waiting for a signal.
func run(app *fx.App, use func()) {
	if err := app.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	use()
	ctx, cancel := context.WithTimeout(context.Background(), app.StopTimeout())
	defer cancel()
	if err := app.Stop(ctx); err != nil {
		fmt.Println(err)
	}
}

// fetch prints a response.
func fetch(url string) {
	resp, err := http.Get(url)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Print(resp.StatusCode, " ")
	io.Copy(os.Stdout, resp.Body)
}

// A complete app: a handler in the graph, and the module. It listens on :8080 until it is
// told to stop, and then drains.
func Example() {
	newHandler := func() http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "hello")
		})
		return mux
	}

	var server *fxshutdown.Server
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0")),
		fx.Provide(newHandler),

		// For this example only.
		fx.NopLogger, quiet, fx.Populate(&server),
	)
	run(app, func() { // app.Run()
		fetch(fmt.Sprintf("http://%v/hello", server.Addr()))
	})
	// Output: 200 hello
}

// Two servers in one app. Fx stops servers in reverse order of listing, so the admin
// server, listed first, still answers while the public one drains. Its readiness says that
// load balancers should send new clients elsewhere.
func Example_adminServer() {
	newAdminHandler := func(public *fxshutdown.Server) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("GET /ready", public.ReadyHandler())
		mux.HandleFunc("GET /stats", func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(public.Stats())
		})
		return mux
	}
	newPublicHandler := func() http.Handler { return http.NotFoundHandler() }

	var servers struct {
		fx.In

		Admin  *fxshutdown.Server `name:"admin"`
		Public *fxshutdown.Server
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithAddr("127.0.0.1:0")),
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithShutdownDelay(5*time.Second)),
		fx.Provide(
			fx.Annotate(newAdminHandler, fx.ResultTags(`name:"admin"`)),
			newPublicHandler,
		),

		// For this example only.
		fx.NopLogger, quiet, fx.Populate(&servers),
	)
	run(app, func() {
		ready := fmt.Sprintf("http://%v/ready", servers.Admin.Addr())
		fetch(ready)
		servers.Public.Stop(context.Background())
		fetch(ready)
	})
	// Output:
	// 200 ready
	// 503 not ready
}

// An event stream that would never end by itself ends when the drain begins, with a last
// event, and its client connects to another instance.
func Example_draining() {
	events := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: welcome\n\n")
		http.NewResponseController(w).Flush()
		for {
			select {
			case <-time.After(time.Minute): // or an event to send
				fmt.Fprint(w, "data: tick\n\n")
				http.NewResponseController(w).Flush()
			case <-fxshutdown.Draining(r.Context()):
				fmt.Fprint(w, "event: bye\ndata: reconnect\n\n")
				return
			case <-r.Context().Done():
				return
			}
		}
	})

	var server *fxshutdown.Server
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(events)),
		fx.NopLogger, quiet, fx.Populate(&server),
	)
	var stream *http.Response
	run(app, func() {
		var err error
		if stream, err = http.Get(fmt.Sprintf("http://%v/events", server.Addr())); err != nil {
			fmt.Println(err)
		}
	})
	defer stream.Body.Close()
	io.Copy(os.Stdout, stream.Body)
	// Output:
	// data: welcome
	//
	// event: bye
	// data: reconnect
}

// An option is built from the app's own configuration.
func ExampleProvideOption() {
	type AppConfig struct{ Listen string }

	var server *fxshutdown.Server
	app := fx.New(
		fxhttp.Module(),
		fxhttp.ProvideOption(func(cfg AppConfig) fxhttp.Option {
			return fxhttp.WithAddr(cfg.Listen)
		}),
		fx.Supply(AppConfig{Listen: "127.0.0.1:0"}),
		fx.Provide(func() http.Handler { return http.NotFoundHandler() }),

		fx.NopLogger, quiet, fx.Populate(&server),
	)
	run(app, func() { fetch(fmt.Sprintf("http://%v/", server.Addr())) })
	// Output: 404 404 page not found
}

// Settings are read from a file. Module takes a Config in the graph without being told to.
func ExampleConfig() {
	newConfig := func() (fxhttp.Config, error) {
		var file struct {
			HTTP fxhttp.Config `json:"http"`
		}
		err := json.Unmarshal([]byte(`{"http": {"addr": ":8080", "shutdown_delay": "5s", "write_timeout": "1m"}}`), &file)
		return file.HTTP, err
	}

	var srv *http.Server
	app := fx.New(fxhttp.Module(), fx.Provide(newConfig), fx.NopLogger, fx.Populate(&srv))
	fmt.Println(srv.Addr, srv.WriteTimeout, srv.ReadHeaderTimeout, app.Err())
	// Output: :8080 1m0s 10s <nil>
}

// quiet keeps the servers' events out of the output.
var quiet = fx.Supply(fx.Annotate(new(recorder), fx.As(new(fxshutdown.Logger))))
