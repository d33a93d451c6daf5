package fxhttpprom_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	fxhttpprom "github.com/fxshutdown/fxhttp/prom"
)

// Where the collector is registered, and where /metrics gathers.
func TestModule(t *testing.T) {
	registered := func(t *testing.T, g prometheus.Gatherer) bool {
		t.Helper()
		families, err := g.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "fxhttp_") {
				return true
			}
		}
		return false
	}
	server := api(http.NotFoundHandler())

	t.Run("Registry", func(t *testing.T) {
		r := prometheus.NewRegistry()
		if err := fx.New(fx.NopLogger, server, fxhttpprom.Module(), fx.Supply(r)).Err(); err != nil || !registered(t, r) {
			t.Errorf("New() = %v, registered: %v", err, registered(t, r))
		}
	})
	t.Run("RegistererFirst", func(t *testing.T) {
		first, second := prometheus.NewRegistry(), prometheus.NewRegistry()
		err := fx.New(fx.NopLogger, fxhttpprom.Module(), server, fx.Supply(second),
			fx.Supply(fx.Annotate(first, fx.As(new(prometheus.Registerer))))).Err()
		if err != nil || !registered(t, first) || registered(t, second) {
			t.Errorf("New() = %v, registered: %v, %v", err, registered(t, first), registered(t, second))
		}
	})
	t.Run("Default", func(t *testing.T) {
		r := prometheus.NewRegistry()
		defer func(r prometheus.Registerer) { prometheus.DefaultRegisterer = r }(prometheus.DefaultRegisterer)
		prometheus.DefaultRegisterer = r
		if err := fx.New(fx.NopLogger, server, fxhttpprom.Module()).Err(); err != nil || !registered(t, r) {
			t.Errorf("New() = %v, registered: %v", err, registered(t, r))
		}
	})
	t.Run("Twice", func(t *testing.T) {
		r := prometheus.NewRegistry()
		err := fx.New(fx.NopLogger, server, fx.Supply(r), fxhttpprom.Module(), fxhttpprom.Module()).Err()
		wantError(t, err, "fxhttpprom: a Registerer takes one Module")
		if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); !ok {
			t.Errorf("%v is no AlreadyRegisteredError", err)
		}
	})
	t.Run("NoServer", func(t *testing.T) {
		wantError(t, fx.New(fx.NopLogger, fxhttpprom.Module(), fx.Supply(prometheus.NewRegistry())).Err(), "fxhttpprom: there is no server")
	})
	t.Run("CannotBeBuilt", func(t *testing.T) {
		type missing struct{}
		for what, provide := range map[string]any{
			"prometheus.Registerer": func(missing) prometheus.Registerer { return nil },
			"*prometheus.Registry":  func(missing) *prometheus.Registry { return nil },
		} {
			err := fx.New(fx.NopLogger, server, fxhttpprom.Module(), fx.Provide(provide)).Err()
			wantError(t, err, "provides a "+what+" that cannot be used")
		}
	})
}

func TestAdminRoute(t *testing.T) {
	t.Run("Routes", func(t *testing.T) {
		a := startApp(t, api(http.NotFoundHandler()))
		for _, tt := range []struct {
			method, path string
			status       int
		}{
			{"GET", "/metrics", 200}, {"HEAD", "/metrics", 200}, {"POST", "/metrics", 405}, {"GET", "/metrics/", 404},
			{"GET", "/livez", 200}, {"GET", "/readyz", 200}, {"GET", "/stats", 200}, {"GET", "/", 404},
		} {
			req, _ := http.NewRequestWithContext(t.Context(), tt.method, "http://"+a.addr("admin")+tt.path, nil)
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("%s %s = %d, want %d", tt.method, tt.path, resp.StatusCode, tt.status)
			}
		}
		s, _ := a.scrape(t)
		s.want(t, "now", "admin", map[string]int{"fxhttp_ready": 1})
	})
	t.Run("Gatherer", func(t *testing.T) {
		app := func(gatherer fx.Option) error {
			wrapped := prometheus.WrapRegistererWith(prometheus.Labels{"app": "a"}, prometheus.NewRegistry())
			return fx.New(fx.NopLogger, api(http.NotFoundHandler()), fxhttpadmin.Module(fxhttpadmin.WithAddr(loopback)),
				fxhttpprom.Module(), fxhttpprom.AdminRoute(),
				fx.Supply(fx.Annotate(wrapped, fx.As(new(prometheus.Registerer)))), gatherer).Err()
		}
		err := app(fx.Options())
		wantError(t, err, "cannot be asked for metrics: provide a prometheus.Gatherer too")
		if !strings.HasPrefix(err.Error(), "fxhttpprom.AdminRoute: ") {
			t.Errorf("the error does not begin with its cause: %v", err)
		}
		if err := app(fx.Supply(fx.Annotate(prometheus.NewRegistry(), fx.As(new(prometheus.Gatherer))))); err != nil {
			t.Errorf("New() = %v with a Gatherer", err)
		}
	})
	t.Run("Default", func(t *testing.T) {
		defer func(r prometheus.Registerer, g prometheus.Gatherer) {
			prometheus.DefaultRegisterer, prometheus.DefaultGatherer = r, g
		}(prometheus.DefaultRegisterer, prometheus.DefaultGatherer)
		r := prometheus.NewRegistry()
		prometheus.DefaultRegisterer, prometheus.DefaultGatherer = prometheus.WrapRegistererWith(prometheus.Labels{"app": "a"}, r), r
		err := fx.New(fx.NopLogger, api(http.NotFoundHandler()), fxhttpadmin.Module(fxhttpadmin.WithAddr(loopback)),
			fxhttpprom.Module(), fxhttpprom.AdminRoute()).Err()
		if err != nil {
			t.Errorf("New() = %v", err)
		}
	})
	t.Run("NoAdminServer", func(t *testing.T) {
		err := fx.New(fx.NopLogger, api(http.NotFoundHandler()), fxhttpprom.AdminRoute(), fx.Supply(prometheus.NewRegistry())).Err()
		wantError(t, err, `*http.Server[name="admin"]`)
	})
	t.Run("AServerOfThatName", func(t *testing.T) {
		a := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithAddr(loopback)), fxhttpprom.AdminRoute(),
			fx.Supply(prometheus.NewRegistry()),
			fx.Provide(fx.Annotate(http.NotFoundHandler, fx.ResultTags(`name:"admin"`))))
		if err := a.Err(); err != nil {
			t.Error(err)
		}
	})
}
