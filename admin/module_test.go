package fxhttpadmin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The admin server answers from before the first of the other servers starts until after
// the last has drained, wherever it is listed.
func TestOutlivesTheOthers(t *testing.T) {
	for _, tt := range []struct {
		name string
		list func(admin, api, jobs fx.Option) fx.Option
	}{
		{"Before", func(admin, api, jobs fx.Option) fx.Option { return fx.Options(admin, api, jobs) }},
		{"Between", func(admin, api, jobs fx.Option) fx.Option { return fx.Options(api, admin, jobs) }},
		{"After", func(admin, api, jobs fx.Option) fx.Option { return fx.Options(api, jobs, admin) }},
		{"InAModule", func(admin, api, jobs fx.Option) fx.Option {
			return fx.Options(api, fx.Module("jobs", jobs), fx.Module("ops", fx.Module("inner", admin)))
		}},
		{"OthersInModules", func(admin, api, jobs fx.Option) fx.Option {
			return fx.Options(fx.Module("jobs", jobs), fx.Module("api", api), admin)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var servers map[string]*fxshutdown.Server
			var seen []string
			see := func(when string) {
				s := servers["admin"]
				if s.Addr() == nil || s.Report().Trigger != "" {
					seen = append(seen, when+": gone")
					return
				}
				transport := &http.Transport{DisableKeepAlives: true}
				resp, err := (&http.Client{Transport: transport}).Get("http://" + s.Addr().String() + "/readyz")
				if err != nil {
					seen = append(seen, when+": "+err.Error())
					return
				}
				resp.Body.Close()
				seen = append(seen, fmt.Sprint(when, ": ", resp.StatusCode))
			}
			// Each server has a hook that starts just before it and stops just after it.
			neighbour := func(name string) func(fx.Lifecycle) http.Handler {
				return func(lc fx.Lifecycle) http.Handler {
					lc.Append(fx.StartStopHook(func() { see(name + " starts") }, func() { see(name + " has stopped") }))
					return http.NotFoundHandler()
				}
			}
			app := fx.New(fx.NopLogger,
				fx.Provide(func() fxshutdown.Logger { return discard{} },
					neighbour("api"), fx.Annotate(neighbour("jobs"), fx.ResultTags(`name:"jobs"`))),
				tt.list(
					fxhttpadmin.Module(fxhttpadmin.WithAddr(loopback)),
					fxhttp.Module(fxhttp.WithAddr(loopback)),
					fxhttp.Module(fxhttp.WithName("jobs"), fxhttp.WithAddr(loopback))),
				fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) {
					servers = make(map[string]*fxshutdown.Server)
					for _, s := range all {
						servers[s.Name] = s.Server
					}
				}, fx.ParamTags(`group:"fxhttp.servers"`))))
			if err := app.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := app.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			slices.Sort(seen)
			want := []string{"api has stopped: 503", "api starts: 503", "jobs has stopped: 503", "jobs starts: 503"}
			if !slices.Equal(seen, want) {
				t.Errorf("probes saw %q, want %q", seen, want)
			}
		})
	}
}

// Readiness fails as soon as one of the servers is not ready, while that server still
// serves, and the response names it.
func TestReadinessDuringAStop(t *testing.T) {
	g := newGate()
	a := startApp(t, nil,
		api(g, fxhttp.WithShutdownDelay(300*time.Millisecond)),
		api(http.NotFoundHandler(), fxhttp.WithName("jobs")))
	if got := a.get(t, "/readyz?verbose"); got.status != 200 || got.body != "[+]server/admin ok\n[+]server/http ok\n[+]server/jobs ok\nreadyz check passed\n" {
		t.Fatalf("readyz = %d %q, want every server by name", got.status, got.body)
	}
	wait := g.hold(t, a.servers[""], "/")
	stopped := make(chan error, 1)
	go func() { stopped <- a.stop(10 * time.Second) }()

	<-a.servers[""].Unready()
	check := func(when string) {
		t.Helper()
		if got := a.get(t, "/readyz"); got.status != 503 || !strings.Contains(got.body, "[-]server/http failed") || !strings.Contains(got.body, "[+]server/admin ok") {
			t.Errorf("readyz %s = %d %q, want the API alone to fail", when, got.status, got.body)
		}
		if got := a.get(t, "/livez"); got.status != 200 {
			t.Errorf("livez %s = %d, want 200", when, got.status)
		}
		if got := a.get(t, "/readyz?exclude=server/http&exclude=server/jobs"); got.status != 200 {
			t.Errorf("readyz without them %s = %d, want 200", when, got.status)
		}
	}
	check("in the delay")
	<-a.servers[""].Draining()
	check("in the drain")
	close(g.opened)
	wait()
	a.client.CloseIdleConnections()
	if err := <-stopped; err != nil {
		t.Errorf("Stop() = %v", err)
	}
}

// Opt-in routes do not exist by default.
func TestRoutes(t *testing.T) {
	optIn := []string{"/", "/events", "/requests", "/debug/pprof/", "/debug/pprof/heap", "/retire"}
	t.Run("Default", func(t *testing.T) {
		a := startApp(t, nil, api(http.NotFoundHandler()))
		for _, path := range []string{"/livez", "/readyz", "/readyz/server/http", "/stats"} {
			if got := a.get(t, path); got.status != 200 {
				t.Errorf("%s = %d, want 200", path, got.status)
			}
		}
		for _, path := range optIn {
			if got := a.get(t, path); got.status != 404 {
				t.Errorf("%s = %d, want 404", path, got.status)
			}
		}
	})
	all := []fxhttpadmin.Option{fxhttpadmin.WithPage(), fxhttpadmin.WithRequests(), fxhttpadmin.WithPprof(), fxhttpadmin.WithRetire()}
	t.Run("Methods", func(t *testing.T) {
		a := startApp(t, all, api(http.NotFoundHandler()))
		for _, path := range append(optIn, "/livez", "/readyz", "/readyz/server/http", "/stats") {
			read := path != "/retire"
			for method, allowed := range map[string]bool{"HEAD": read, "POST": !read, "PUT": false, "DELETE": false, "OPTIONS": false} {
				got := a.do(t, method, path)
				if is := got.status != http.StatusMethodNotAllowed; is != allowed {
					t.Errorf("%s %s = %d, allowed: %t", method, path, got.status, allowed)
				}
				if !allowed && got.header.Get("Allow") == "" {
					t.Errorf("%s %s does not say what is allowed", method, path)
				}
				if method == "HEAD" && (got.status != 200 && read || got.body != "") {
					t.Errorf("HEAD %s = %d %q, want 200 and nothing", path, got.status, got.body)
				}
				if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("%s %s has the header %v, want no-store and nosniff", method, path, got.header)
				}
			}
		}
	})
	t.Run("Auth", func(t *testing.T) {
		auth := func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, password, _ := r.BasicAuth(); password != "open" {
					http.Error(w, "who are you?", http.StatusUnauthorized)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
		a := startApp(t, append(all, fxhttpadmin.WithAuth(auth)), api(http.NotFoundHandler()))
		for _, path := range optIn {
			if got := a.get(t, path); got.status != 401 {
				t.Errorf("%s = %d, want 401", path, got.status)
			}
		}
		if got := a.do(t, "GET", "/requests", func(r *http.Request) { r.SetBasicAuth("", "open") }); got.status != 200 {
			t.Errorf("/requests with the password = %d, want 200", got.status)
		}
		for _, path := range []string{"/livez", "/readyz", "/stats"} {
			if got := a.get(t, path); got.status != 200 {
				t.Errorf("%s = %d, want 200", path, got.status)
			}
		}
	})
}

// A website whose own name resolves to 127.0.0.1 cannot read anything.
func TestLoopbackHosts(t *testing.T) {
	opts := []fxhttpadmin.Option{fxhttpadmin.WithPage(), fxhttpadmin.WithRequests(), fxhttpadmin.WithRetire()}
	as := func(a *testApp, method, path, host string) int {
		return a.do(t, method, path, func(r *http.Request) { r.Host = host }).status
	}
	a := startApp(t, opts)
	for host, allowed := range map[string]bool{
		"localhost": true, "LOCALHOST:8081": true, "admin.localhost:8081": true, "127.0.0.1:1": true, "[::1]:8081": true, "127.9.9.9": true,
		"evil.example": false, "evil.example:8081": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false, "192.0.2.1": false,
	} {
		for path, method := range map[string]string{"/": "GET", "/requests": "GET", "/retire": "POST"} {
			if got := as(a, method, path, host); (got != http.StatusForbidden) != allowed {
				t.Errorf("%s %s of %s = %d, allowed: %t", method, path, host, got, allowed)
			}
		}
		if got := as(a, "GET", "/readyz", host); got != 200 {
			t.Errorf("/readyz of %s = %d, want 200", host, got)
		}
	}
	open := func(next http.Handler) http.Handler { return next }
	a = startApp(t, append(opts, fxhttpadmin.WithAuth(open)))
	if got := as(a, "GET", "/requests", "admin.example"); got != 200 {
		t.Errorf("/requests of another name = %d, want that WithAuth decides", got)
	}
}

func TestStats(t *testing.T) {
	g := newGate()
	a := startApp(t, []fxhttpadmin.Option{fxhttpadmin.WithRequests()}, api(g), api(g, fxhttp.WithName("jobs")))
	// Whatever a client sends, its query does not appear, and its path is escaped.
	wait := g.hold(t, a.servers["jobs"], "/slow/%3Cscript%3E%0A%E2%80%AE?token=secret")
	got := a.get(t, "/stats")
	var stats map[string]fxshutdown.Stats
	if err := json.Unmarshal([]byte(got.body), &stats); err != nil {
		t.Fatal(err)
	}
	if len(stats) != 3 || stats["jobs"].InFlight != 1 || stats["http"].Accepted != 0 || stats["admin"].InFlight != 1 {
		t.Errorf("stats = %s", got.body)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type = %q", ct)
	}
	got = a.get(t, "/requests")
	var requests map[string][]fxshutdown.Request
	if err := json.Unmarshal([]byte(got.body), &requests); err != nil {
		t.Fatal(err)
	}
	if len(requests["jobs"]) != 1 || requests["jobs"][0].Path != `/slow/<script>\n\u202e` || requests["jobs"][0].Age <= 0 || strings.Contains(got.body, "secret") {
		t.Errorf("requests = %s", got.body)
	}
	if !strings.Contains(got.body, `"http":[]`) {
		t.Errorf("requests = %s, want an empty list for a server without", got.body)
	}
	close(g.opened)
	wait()
}

// The address may come from every source that fxhttp accepts.
func TestAddr(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts fx.Option
		want string
	}{
		{"Default", fxhttpadmin.Module(), ":8081"},
		{"WithAddr", fxhttpadmin.Module(fxhttpadmin.WithAddr(":1")), ":1"},
		{"Config", fx.Options(fxhttpadmin.Module(), fx.Supply(fx.Annotate(fxhttp.Config{Addr: ":2"}, fx.ResultTags(`name:"admin"`)))), ":2"},
		{"ProvideNamedOption", fx.Options(fxhttpadmin.Module(fxhttpadmin.WithAddr(":1")),
			fxhttp.ProvideNamedOption("admin", func() fxhttp.Option { return fxhttp.WithAddr(":3") })), ":3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var srv *http.Server
			if err := fx.New(fx.NopLogger, tt.opts, fx.Populate(fx.Annotate(&srv, fx.ParamTags(nameTag)))).Err(); err != nil {
				t.Fatal(err)
			}
			if srv.Addr != tt.want {
				t.Errorf("Addr = %q, want %q", srv.Addr, tt.want)
			}
		})
	}
}

const nameTag = `name:"admin"`

// A decorator can wrap the handler as it can that of any server.
func TestDecoratedHandler(t *testing.T) {
	a := startApp(t, nil, fx.Decorate(fx.Annotate(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Decorated", "yes")
			next.ServeHTTP(w, r)
		})
	}, fx.ParamTags(nameTag), fx.ResultTags(nameTag))))
	if got := a.get(t, "/livez"); got.header.Get("X-Decorated") != "yes" || got.status != 200 {
		t.Errorf("livez = %+v, want it decorated", got)
	}
}

func TestOptionString(t *testing.T) {
	for _, tt := range []struct {
		option fxhttpadmin.Option
		want   string
	}{
		{fxhttpadmin.WithAddr(":1"), `fxhttpadmin.WithAddr(":1")`},
		{fxhttpadmin.WithCheckTimeout(time.Second), `fxhttpadmin.WithCheckTimeout(1s)`},
		{fxhttpadmin.WithPage(), `fxhttpadmin.WithPage()`},
		{fxhttpadmin.WithRequests(), `fxhttpadmin.WithRequests()`},
		{fxhttpadmin.WithPprof(), `fxhttpadmin.WithPprof()`},
		{fxhttpadmin.WithRetire(), `fxhttpadmin.WithRetire()`},
		{fxhttpadmin.WithAuth(nil), `fxhttpadmin.WithAuth(func(http.Handler) http.Handler)`},
	} {
		if got := tt.option.String(); got != tt.want {
			t.Errorf("String() = %s, want %s", got, tt.want)
		}
	}
}

// Bad input fails the app when it is built, with an error that names the input.
func TestModuleErrors(t *testing.T) {
	check := func(name string) fx.Option {
		return fxhttpadmin.AsCheck(func() fxhttpadmin.Check {
			return fxhttpadmin.Check{Name: name, Func: func(context.Context) error { return nil }}
		})
	}
	for _, tt := range []struct {
		name string
		opts fx.Option
		want []string
	}{
		{"NilOption", fxhttpadmin.Module(fxhttpadmin.WithPage(), nil), []string{"fxhttpadmin.Module", "option 2 is nil"}},
		{"Addr", fxhttpadmin.Module(fxhttpadmin.WithAddr("8081")), []string{`Addr "8081"`, "missing port"}},
		{"NilAuth", fxhttpadmin.Module(fxhttpadmin.WithAuth(nil)), []string{"WithAuth", "nil"}},
		{"CheckTimeout", fxhttpadmin.Module(fxhttpadmin.WithCheckTimeout(0)), []string{"WithCheckTimeout(0s)"}},
		{"CheckTwice", fx.Options(fxhttpadmin.Module(), check("db"), check("db")), []string{`two checks are called "db"`}},
		{"CheckLikeAServer", fx.Options(fxhttpadmin.Module(), check("server/http")), []string{`"server/http"`, "readiness of servers"}},
		{"CheckWithoutName", fx.Options(fxhttpadmin.Module(), check("")), []string{`the check ""`}},
		{"CheckName", fx.Options(fxhttpadmin.Module(), check("a b")), []string{`"a b"`, "is not allowed"}},
		{"CheckDots", fx.Options(fxhttpadmin.Module(), check("a/../b")), []string{`"a/../b"`}},
		{"CheckWithoutFunc", fx.Options(fxhttpadmin.Module(), fxhttpadmin.AsCheck(func() fxhttpadmin.Check { return fxhttpadmin.Check{Name: "db"} })),
			[]string{`"db" has no Func`}},
		{"CheckError", fx.Options(fxhttpadmin.Module(), fxhttpadmin.AsCheck(func() (fxhttpadmin.Check, error) { return fxhttpadmin.Check{}, errors.New("no such table") })),
			[]string{"no such table"}},
		{"NoConstructor", fx.Options(fxhttpadmin.Module(), fxhttpadmin.AsCheck(fxhttpadmin.Check{})), []string{"AsCheck", "not a constructor"}},
		{"NilConstructor", fx.Options(fxhttpadmin.Module(), fxhttpadmin.AsCheck(nil)), []string{"AsCheck", "not a constructor"}},
		{"OtherConstructor", fx.Options(fxhttpadmin.Module(), fxhttpadmin.AsCheck(func() error { return nil })), []string{"AsCheck", "not a constructor"}},
		{"SameName", fx.Options(fxhttpadmin.Module(), api(http.NotFoundHandler()), api(http.NotFoundHandler(), fxhttp.WithName("http"))),
			[]string{`two servers are called "http"`, "WithName"}},
		{"AdminThere", fx.Options(fxhttpadmin.Module(), api(http.NotFoundHandler(), fxhttp.WithName("admin"))), []string{"already provided"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, fx.New(fx.NopLogger, tt.opts).Err(), tt.want...)
			wantError(t, fx.New(fx.NopLogger, api(http.NotFoundHandler(), fxhttp.WithName("first")), tt.opts).Err(), tt.want...)
		})
	}
}

// The error about a check begins with the cause, not with dig's path to it, even if
// another server is listed first.
func TestErrorsBeginWithTheCause(t *testing.T) {
	bad := fx.Options(fxhttpadmin.Module(), fxhttpadmin.AsCheck(func() fxhttpadmin.Check { return fxhttpadmin.Check{Name: "db"} }))
	for _, app := range []fx.Option{bad, fx.Options(api(http.NotFoundHandler()), bad), fx.Options(bad, api(http.NotFoundHandler()))} {
		if err := fx.New(fx.NopLogger, app).Err(); err == nil || !strings.HasPrefix(err.Error(), "fxhttpadmin: the check") {
			t.Errorf("New() = %v, want it to begin with the check", err)
		}
	}
}

// The log warns at the start if everybody can use routes that are only for operators.
func TestExposedIsWarnedOf(t *testing.T) {
	open := func(h http.Handler) http.Handler { return h }
	for _, tt := range []struct {
		name string
		opts []fxhttpadmin.Option
		want string // in the warning; empty means no warning
	}{
		{"ProbesAlone", []fxhttpadmin.Option{fxhttpadmin.WithAddr(":0")}, ""},
		{"Loopback", []fxhttpadmin.Option{fxhttpadmin.WithPage()}, ""},
		{"Auth", []fxhttpadmin.Option{fxhttpadmin.WithAddr(":0"), fxhttpadmin.WithPage(), fxhttpadmin.WithAuth(open)}, ""},
		{"Page", []fxhttpadmin.Option{fxhttpadmin.WithAddr(":0"), fxhttpadmin.WithPage()}, " can use /: "},
		{"All", []fxhttpadmin.Option{fxhttpadmin.WithAddr("0.0.0.0:0"), fxhttpadmin.WithPage(), fxhttpadmin.WithRequests(), fxhttpadmin.WithPprof(), fxhttpadmin.WithRetire()},
			" can use /, /requests, /debug/pprof/, /retire: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.WarnLevel)
			startApp(t, tt.opts, fx.Supply(zap.New(core)))
			var got string
			for _, entry := range logs.FilterMessageSnippet("anybody who can reach").All() {
				got += entry.Message
			}
			if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("the warning is %q, want %q", got, tt.want)
			}
		})
	}
}
