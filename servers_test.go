package fxhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// startedAndStopped records when a server starts and when it has stopped.
type startedAndStopped struct {
	j    *journal
	name string
}

func (l startedAndStopped) LogEvent(e fxshutdown.Event) {
	switch e.(type) {
	case *fxshutdown.Started:
		l.j.add(l.name + " started")
	case *fxshutdown.Stopped:
		l.j.add(l.name + " stopped")
	}
}

// A server with WithStopLast starts first and stops last, wherever it is listed. What only
// the other servers' handlers need stops before it.
func TestStopLastAnywhere(t *testing.T) {
	for _, tt := range []struct {
		name string
		list func(last, api, jobs fx.Option) fx.Option
	}{
		{"Before", func(last, api, jobs fx.Option) fx.Option { return fx.Options(last, api, jobs) }},
		{"Between", func(last, api, jobs fx.Option) fx.Option { return fx.Options(api, last, jobs) }},
		{"After", func(last, api, jobs fx.Option) fx.Option { return fx.Options(api, jobs, last) }},
		{"InAModule", func(last, api, jobs fx.Option) fx.Option {
			return fx.Options(api, fx.Module("child", jobs), fx.Module("other", last))
		}},
		{"OthersInModules", func(last, api, jobs fx.Option) fx.Option {
			return fx.Options(last, fx.Module("a", api), fx.Module("b", fx.Module("c", jobs)))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := new(journal)
			log := func(name string) fxhttp.Option { return fxhttp.WithLogger(startedAndStopped{j, name}) }
			resource := func(name string) func(fx.Lifecycle) http.Handler {
				return func(lc fx.Lifecycle) http.Handler {
					lc.Append(fx.StartStopHook(func() { j.add(name + " opened") }, func() { j.add(name + " closed") }))
					return text("")
				}
			}
			app := fx.New(fx.NopLogger,
				tt.list(
					module(fxhttp.WithName("last"), log("server last"), fxhttp.WithStopLast()),
					module(log("server api")),
					module(fxhttp.WithName("jobs"), log("server jobs"), fxhttp.WithHandler(text("")))),
				fx.Provide(resource("database"), fx.Annotate(resource("monitor"), fx.ResultTags(`name:"last"`))))
			start(t, app)
			if err := stop(app, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			j.mu.Lock()
			got := slices.Clone(j.lines)
			j.mu.Unlock()
			if len(got) != 10 || !slices.Equal(got[:2], []string{"monitor opened", "server last started"}) ||
				!slices.Equal(got[8:], []string{"server last stopped", "monitor closed"}) {
				t.Errorf("it went %q, want the last server around all others", got)
			}
		})
	}
}

// Errors about a server that stops last are the same as those about other servers.
func TestStopLastErrors(t *testing.T) {
	last := module(fxhttp.WithName("last"), fxhttp.WithStopLast())
	for _, tt := range []struct {
		name string
		opts fx.Option
		want string
	}{
		{"Settings", fx.Options(module(fxhttp.WithHandler(text(""))), last,
			fx.Supply(fx.Annotate(fxhttp.Config{MaxHeaderBytes: -1}, fx.ResultTags(`name:"last"`)))),
			`fxhttp: settings of server "last": MaxHeaderBytes -1 is negative`},
		{"OfAnother", fx.Options(last, module(fxhttp.WithHandler(text(""))), fx.Supply(fxhttp.Config{MaxHeaderBytes: -1})),
			`fxhttp: settings of the server: MaxHeaderBytes -1 is negative`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := fx.New(fx.NopLogger, tt.opts).Err(); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("New() = %v, want it to begin with %q", err, tt.want)
			}
		})
	}
	t.Run("NoHandler", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(fxhttp.WithHandler(text(""))), last).Start(t.Context())
		wantError(t, err, `server "last" has no handler`)
	})
}

// The servers of an app are in a value group, each with its name. If nothing asks for the
// group, it costs nothing. A handler that takes the group makes no cycle.
func TestNamedServers(t *testing.T) {
	var servers []fxhttp.NamedServer
	app := fx.New(fx.NopLogger,
		module(),
		module(fxhttp.WithName("b"), fxhttp.WithHandler(text(""))),
		fx.Provide(fx.Annotate(func(all []fxhttp.NamedServer) http.Handler { return text(fmt.Sprint(len(all))) },
			fx.ParamTags(`group:"fxhttp.servers"`))),
		fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) { servers = all }, fx.ParamTags(`group:"fxhttp.servers"`))),
	)
	start(t, app)
	slices.SortFunc(servers, func(a, b fxhttp.NamedServer) int { return strings.Compare(a.Name, b.Name) })
	if len(servers) != 2 || servers[0].Name != "" || servers[1].Name != "b" {
		t.Fatalf("the group has %+v, want one without a name and b", servers)
	}
	if _, body := get(t, newClient(t), "http://"+servers[0].Server.Addr().String()); body != "2" {
		t.Errorf("the handler saw %s servers, want 2", body)
	}
	for _, s := range append(servers, fxhttp.NamedServer{}) {
		if e, ok := s.StopBegan(); ok {
			t.Errorf("Unready() = %+v before the stop", e)
		}
	}
	if err := stop(app, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if e, ok := servers[1].StopBegan(); !ok || e.Trigger != fxshutdown.TriggerStop || e.Timeout <= 0 || e.Timeout > 5*time.Second {
		t.Errorf("Unready() = %+v, %t, want the time of this stop", e, ok)
	}
}

// A Logger may modify the event that it gets.
func TestNamedServerStoppingIsACopy(t *testing.T) {
	var servers []fxhttp.NamedServer
	app := fx.New(fx.NopLogger, module(fxhttp.WithHandler(text("")), fxhttp.WithLogger(scribbler{})),
		fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) { servers = all }, fx.ParamTags(`group:"fxhttp.servers"`))))
	start(t, app)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := app.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if e, _ := servers[0].StopBegan(); e.Trigger != fxshutdown.TriggerStop {
		t.Errorf("Trigger = %q, want that of the stop", e.Trigger)
	}
}

type scribbler struct{}

func (scribbler) LogEvent(e fxshutdown.Event) {
	if s, ok := e.(*fxshutdown.StopBegan); ok {
		s.Trigger = "scribbled over"
	}
}
