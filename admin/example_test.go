package fxhttpadmin_test

import (
	"database/sql"
	"fmt"
	"net/http"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/admin"
)

// Readiness also depends on the database.
func ExampleAsCheck() {
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fxhttpadmin.Module(),
		fxhttpadmin.AsCheck(func(db *sql.DB) fxhttpadmin.Check {
			return fxhttpadmin.Check{Name: "database", Func: db.PingContext}
		}),
		fx.Provide(newHandler, newDatabase),
		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err()) // app.Run()
	// Output: <nil>
}

// Routes that show paths require the password; probes do not.
func ExampleWithAuth() {
	auth := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "…" { // use subtle.ConstantTimeCompare in real code
				w.Header().Set("WWW-Authenticate", `Basic realm="admin"`)
				http.Error(w, "unauthorized", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fxhttpadmin.Module(fxhttpadmin.WithPage(), fxhttpadmin.WithRequests(), fxhttpadmin.WithAuth(auth)),
		fx.Provide(newHandler),
		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err()) // app.Run()
	// Output: <nil>
}

// The handlers also work without Module. Here the server itself reports its readiness.
func ExampleReady() {
	newMux := func(servers []fxhttp.NamedServer) (*http.ServeMux, error) {
		ready, err := fxhttpadmin.Ready(fxhttpadmin.ReadyConfig{Servers: servers})
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		mux.Handle("/readyz", ready)
		mux.Handle("/", newHandler())
		return mux, nil
	}
	app := fx.New(
		fxhttp.Module(fxhttp.WithAddr(":8080")),
		fx.Provide(fx.Annotate(newMux, fx.ParamTags(`group:"fxhttp.servers"`), fx.As(new(http.Handler)))),
		fx.NopLogger, // for this example only
	)
	fmt.Println(app.Err()) // app.Run()
	// Output: <nil>
}

func newHandler() http.Handler { return http.NotFoundHandler() }

// newDatabase stands in for sql.Open with a driver.
func newDatabase() *sql.DB { return new(sql.DB) }
