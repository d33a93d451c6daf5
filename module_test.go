package fxhttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The helpers of the tests below.

// testApp is a running app with one unnamed server.
type testApp struct {
	*fx.App
	srv    *http.Server
	server *fxshutdown.Server
	events *recorder
}

// startApp starts an app with a Module of the given options on a loopback port. Its
// cleanup stops the app if the test has not.
func startApp(t *testing.T, opts []fxhttp.Option, rest ...fx.Option) *testApp {
	t.Helper()
	a := &testApp{events: new(recorder)}
	opts = append([]fxhttp.Option{fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithLogger(a.events)}, opts...)
	a.App = fx.New(fx.NopLogger, fxhttp.Module(opts...), fx.Options(rest...), fx.Populate(&a.srv, &a.server))
	start(t, a.App)
	return a
}

func start(t *testing.T, app *fx.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := app.Start(ctx); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() { stop(app, 10*time.Second) })
}

func stop(app *fx.App, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return app.Stop(ctx)
}

// stopLater stops the app in the background. The function that it returns
// waits for the result.
func stopLater(app *fx.App, timeout time.Duration) (wait func() error) {
	result := make(chan error, 1)
	go func() { result <- stop(app, timeout) }()
	return func() error { return <-result }
}

func (a *testApp) url(path string) string { return "http://" + a.server.Addr().String() + path }

// dial connects to the app's server.
func (a *testApp) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", a.server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// newClient returns a client whose connections end with the test.
func newClient(t *testing.T, change ...func(*http.Transport)) *http.Client {
	tr := &http.Transport{}
	for _, f := range change {
		f(tr)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return resp, string(body)
}

func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) })
}

func provideHandler(h http.Handler) fx.Option {
	return fx.Provide(func() http.Handler { return h })
}

// recorder is an fxshutdown.Logger that keeps the events it gets.
type recorder struct {
	mu     sync.Mutex // guards events
	events []fxshutdown.Event
}

func (r *recorder) LogEvent(e fxshutdown.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// recorded returns the first event of type E. It waits, because a Logger gets its events
// on a goroutine of its own. If there is none, the test fails.
func recorded[E fxshutdown.Event](t *testing.T, r *recorder) (found E) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		events := slices.Clone(r.events)
		r.mu.Unlock()
		for _, e := range events {
			if e, ok := e.(E); ok {
				return e
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no %T among the events %v", found, events)
		}
	}
}

// wantError checks that the text of err contains all parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
}

// journal records the order of hooks. As an fxevent.Logger it sees those of the server;
// those of a database write to it.
type journal struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) LogEvent(e fxevent.Event) {
	switch e := e.(type) {
	case *fxevent.OnStartExecuting:
		if strings.Contains(e.CallerName, "fxhttp.register") {
			j.add("server starts")
		}
	case *fxevent.OnStopExecuted:
		if strings.Contains(e.CallerName, "fxhttp.register") {
			j.add("server stopped")
		}
	}
}

func (j *journal) check(t *testing.T, want ...string) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.lines, want) {
		t.Errorf("order of the hooks = %q, want %q", j.lines, want)
	}
}

func (j *journal) option() fx.Option {
	return fx.WithLogger(func() fxevent.Logger { return j })
}

var (
	safeOrder   = []string{"database starts", "server starts", "server stopped", "database stops"}
	unsafeOrder = []string{"server starts", "database starts", "database stops", "server stopped"}
)

// database is something a handler needs.
type database struct{}

func (j *journal) newDatabase(lc fx.Lifecycle) *database {
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error { j.add("database starts"); return nil },
		OnStop:  func(context.Context) error { j.add("database stops"); return nil },
	})
	return &database{}
}

func newDatabaseHandler(*database) http.Handler { return text("from the database") }

// wrapHandler wraps a server's handler in middleware.
func wrapHandler(srv *http.Server) *http.Server {
	srv.Handler = middleware(srv.Handler)
	return srv
}

// middleware returns closures that differ only in what they have captured.
//
//go:noinline
func middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
}

// nilHandler is a handler that works even as a nil pointer.
type nilHandler struct{}

func (*nilHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "nil") }

// plainStruct is a handler that cannot be compared.
type plainStruct struct {
	serve func(http.ResponseWriter, *http.Request)
}

func (h plainStruct) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(w, r) }

func module(opts ...fxhttp.Option) fx.Option {
	return fxhttp.Module(append([]fxhttp.Option{fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithLogger(new(recorder))}, opts...)...)
}

// The tests.

func TestModule(t *testing.T) {
	t.Run("Serves", func(t *testing.T) {
		a := startApp(t, nil, provideHandler(text("hello")))
		if _, body := get(t, newClient(t), a.url("/")); body != "hello" {
			t.Errorf("body = %q, want hello", body)
		}
		if got := a.server.HTTPServer(); got != a.srv {
			t.Errorf("HTTPServer() = %p, want the server of the graph, %p", got, a.srv)
		}
		if err := stop(a.App, 5*time.Second); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if conn, err := net.Dial("tcp", a.server.Addr().String()); err == nil {
			conn.Close()
			t.Error("the server still listens after Stop")
		}
	})

	t.Run("AnswersRequestInFlight", func(t *testing.T) {
		entered, release := make(chan struct{}), make(chan struct{})
		a := startApp(t, nil, provideHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-release
			io.WriteString(w, "late")
		})))
		body := make(chan string)
		client := newClient(t)
		go func() {
			resp, err := client.Get(a.url("/"))
			if err != nil {
				body <- err.Error()
				return
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			body <- string(b)
		}()
		<-entered
		wait := stopLater(a.App, 5*time.Second)
		<-a.server.Draining()
		close(release)
		if got := <-body; got != "late" {
			t.Errorf("body = %q, want late", got)
		}
		if err := wait(); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
	})

	t.Run("Validates", func(t *testing.T) {
		if err := fx.ValidateApp(fx.NopLogger, module(), provideHandler(text("")), fx.Invoke(func(*http.Server, *fxshutdown.Server) {})); err != nil {
			t.Errorf("ValidateApp() = %v, want nil", err)
		}
	})

	t.Run("IsLoggable", func(t *testing.T) {
		if got, want := fmt.Sprint(fxhttp.Module(fxhttp.WithName("admin"))), `fx.Module("fxhttp/admin"`; !strings.Contains(got, want) {
			t.Errorf("String() = %s, want %s in it", got, want)
		}
	})

	t.Run("NilOption", func(t *testing.T) {
		wantError(t, fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithAddr(":0"), nil)).Err(), "fxhttp.Module", "option 2 is nil")
	})
}

// Each wiring that Fx makes possible, in an app that records the order of its hooks.
func TestModuleWiring(t *testing.T) {
	type app struct {
		name string
		opts func(j *journal) []fx.Option
	}
	assign := func(srv *http.Server, db *database) { srv.Handler = newDatabaseHandler(db) }
	for _, tt := range []app{
		{"HandlerFromGraph", func(j *journal) []fx.Option {
			return []fx.Option{fx.Provide(j.newDatabase, newDatabaseHandler), module()}
		}},
		{"HandlerFromGraphListedLater", func(j *journal) []fx.Option {
			return []fx.Option{module(), fx.Provide(newDatabaseHandler, j.newDatabase)}
		}},
		{"HandlerFromGraphInvokedElsewhere", func(j *journal) []fx.Option {
			return []fx.Option{
				fx.Invoke(func(*fxshutdown.Server, *http.Server) {}), // constructs the server before all else
				module(), fx.Provide(newDatabaseHandler, j.newDatabase),
			}
		}},
		{"HandlerFromChildModule", func(j *journal) []fx.Option {
			return []fx.Option{module(), fx.Module("web", fx.Provide(newDatabaseHandler)), fx.Provide(j.newDatabase)}
		}},
		{"ModuleInChildModule", func(j *journal) []fx.Option {
			return []fx.Option{fx.Module("web", module()), fx.Provide(newDatabaseHandler, j.newDatabase)}
		}},
		{"HandlerPrivateBesideModule", func(j *journal) []fx.Option {
			return []fx.Option{fx.Module("web", module(), fx.Provide(newDatabaseHandler, fx.Private)), fx.Provide(j.newDatabase)}
		}},
		{"HandlerInjectsServers", func(j *journal) []fx.Option {
			return []fx.Option{module(), fx.Provide(j.newDatabase, func(*http.Server, *fxshutdown.Server, *database) http.Handler {
				return text("from the database")
			})}
		}},
		{"InvokeBefore", func(j *journal) []fx.Option {
			return []fx.Option{fx.Provide(j.newDatabase), fx.Invoke(assign), module()}
		}},
		{"InvokeInChildModule", func(j *journal) []fx.Option {
			return []fx.Option{module(), fx.Provide(j.newDatabase), fx.Module("web", fx.Invoke(assign))}
		}},
		{"InvokeWrapsHandlerOfGraph", func(j *journal) []fx.Option {
			return []fx.Option{
				fx.Provide(j.newDatabase, newDatabaseHandler),
				fx.Invoke(func(srv *http.Server, h http.Handler) {
					srv.Handler = http.StripPrefix("/", h)
				}),
				module(),
			}
		}},
		{"InvokeBeforeWraps", func(j *journal) []fx.Option {
			return []fx.Option{fx.Provide(j.newDatabase, newDatabaseHandler), fx.Invoke(wrapHandler), module()}
		}},
		{"DecoratorWraps", func(j *journal) []fx.Option {
			return []fx.Option{module(), fx.Provide(j.newDatabase, newDatabaseHandler), fx.Decorate(wrapHandler)}
		}},
		{"DecoratorAssigns", func(j *journal) []fx.Option {
			return []fx.Option{module(), fx.Provide(j.newDatabase), fx.Decorate(func(srv *http.Server, db *database) *http.Server {
				assign(srv, db)
				return srv
			})}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := new(journal)
			core, logs := observer.New(zapcore.WarnLevel)
			var server *fxshutdown.Server
			app := fx.New(append(tt.opts(j), j.option(), fx.Supply(zap.New(core)), fx.Populate(&server))...)
			start(t, app)
			if _, body := get(t, newClient(t), "http://"+server.Addr().String()+"/"); body != "from the database" {
				t.Errorf("body = %q, want that of the handler", body)
			}
			if err := stop(app, 5*time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			j.check(t, safeOrder...)
			if logs.Len() > 0 {
				t.Errorf("warnings = %v, want none", logs.All())
			}
		})
	}
}

// There is a warning for the one wiring that cannot be made safe.
func TestModuleWarnsOfLateHandler(t *testing.T) {
	late := func(srv *http.Server, db *database) { srv.Handler = newDatabaseHandler(db) }
	lateOf := func(h func(http.Handler) http.Handler) any {
		return func(srv *http.Server, db *database) { srv.Handler = h(newDatabaseHandler(db)) }
	}
	asStruct := func(h http.Handler) http.Handler { return plainStruct{h.ServeHTTP} }
	for _, tt := range []struct {
		name   string
		before fx.Option
		invoke any
	}{
		{"NoHandler", fx.Options(), late},
		{"ReplacesHandler", provideHandler(http.NewServeMux()), late},
		{"ReplacesHandlerFunc", provideHandler(http.NotFoundHandler()), late},
		{"ReplacesSameCode", provideHandler(middleware(text(""))), lateOf(middleware)},
		{"ReplacesStruct", provideHandler(asStruct(text(""))), lateOf(asStruct)},
		{"Wraps", provideHandler(middleware(text("from the database"))), func(srv *http.Server, _ *database) { wrapHandler(srv) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			j := new(journal)
			core, logs := observer.New(zapcore.WarnLevel)
			var server *fxshutdown.Server
			app := fx.New(j.option(), fx.Supply(zap.New(core)), fx.Provide(j.newDatabase), tt.before, module(), fx.Invoke(tt.invoke), fx.Populate(&server))
			start(t, app)
			if _, body := get(t, newClient(t), "http://"+server.Addr().String()); body != "from the database" {
				t.Errorf("body = %q, want that of the late handler", body)
			}
			if err := stop(app, 5*time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			j.check(t, unsafeOrder...) // if this ever fails, the warning is no longer needed
			if logs.Len() != 1 {
				t.Fatalf("warnings = %v, want one", logs.All())
			}
			wantError(t, errors.New(logs.All()[0].Message),
				"assigned after", "stop before the server has drained", "provide the handler as http.Handler", "list fxhttp.Module after the fx.Invoke", "in the same fx.Module")
		})
	}
}

// If a dependency is constructed in time, with the handler, but an invoke listed after
// Module appends its OnStop, the dependency stops while requests use it, and no warning
// says so. It stops in time if its constructor appends the hook, or if the invoke is
// listed before Module.
func TestModuleLateOnStop(t *testing.T) {
	type pool struct{ closed atomic.Bool }
	hook := func(lc fx.Lifecycle, p *pool) {
		lc.Append(fx.StopHook(func() { p.closed.Store(true) }))
	}
	newPool := func() *pool { return new(pool) }
	for _, tt := range []struct {
		name   string
		wiring func(module fx.Option) fx.Option
		want   string
	}{
		{"InvokeAfterModule", func(module fx.Option) fx.Option {
			return fx.Options(fx.Provide(newPool), module, fx.Invoke(hook))
		}, "closed"},
		{"InvokeBeforeModule", func(module fx.Option) fx.Option {
			return fx.Options(fx.Provide(newPool), fx.Invoke(hook), module)
		}, "open"},
		{"Constructor", func(module fx.Option) fx.Option {
			return fx.Options(module, fx.Provide(func(lc fx.Lifecycle) *pool {
				p := newPool()
				hook(lc, p)
				return p
			}))
		}, "open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.WarnLevel)
			begun := make(chan struct{})
			newHandler := func(server *fxshutdown.Server, p *pool) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(begun)
					<-server.Draining()
					fmt.Fprint(w, map[bool]string{false: "open", true: "closed"}[p.closed.Load()])
				})
			}
			var server *fxshutdown.Server
			app := fx.New(fx.NopLogger, fx.Supply(zap.New(core)), tt.wiring(module()), fx.Provide(newHandler), fx.Populate(&server))
			start(t, app)
			body := make(chan string, 1)
			go func() {
				_, b := get(t, newClient(t), "http://"+server.Addr().String())
				body <- b
			}()
			<-begun
			if err := stop(app, 5*time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if got := <-body; got != tt.want {
				t.Errorf("the request found the pool %s, want %s", got, tt.want)
			}
			if logs.Len() > 0 { // if there ever is a warning, the README can say less
				t.Errorf("warnings = %v, want none", logs.All())
			}
		})
	}
}

// When the server runs, its handler is the one that was assigned, without the wrapper by
// which the module recognizes it.
func TestModuleHandlerStaysItself(t *testing.T) {
	want := plainStruct{text("").ServeHTTP}
	a := startApp(t, nil, provideHandler(want))
	if got, ok := a.srv.Handler.(plainStruct); !ok {
		t.Errorf("Handler = %T, want %T", got, want)
	}
}

// Without a *zap.Logger the warning goes to slog.Default, and it names the server.
func TestModuleWarnsBySlog(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	var buf lockedBuffer
	slog.SetDefault(slog.New(slog.NewJSONHandler(&buf, nil)))
	app := fx.New(fx.NopLogger, module(fxhttp.WithName("admin")), fx.Invoke(fx.Annotate(
		func(srv *http.Server) { srv.Handler = text("") }, fx.ParamTags(`name:"admin"`))))
	start(t, app)
	wantError(t, errors.New(buf.String()), `"level":"WARN"`, `"server":"admin"`, `the Handler of server \"admin\" was assigned after`, `with the tag name:\"admin\"`)
}

// All servers share the logger of the graph; each has its name in its lines.
func TestModuleLoggerOfGraph(t *testing.T) {
	var buf lockedBuffer
	core, logs := observer.New(zapcore.InfoLevel)
	for name, logger := range map[string]fxshutdown.Logger{
		"Slog": &fxshutdown.SlogLogger{Logger: slog.New(slog.NewJSONHandler(&buf, nil))},
		"Zap":  &fxhttp.ZapLogger{Logger: zap.New(core)},
	} {
		t.Run(name, func(t *testing.T) {
			app := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(text(""))),
				fx.Supply(fx.Annotate(logger, fx.As(new(fxshutdown.Logger)))))
			start(t, app)
			stop(app, 5*time.Second)
		})
	}
	wantError(t, errors.New(buf.String()), `"server":"admin"`)
	for _, line := range logs.All() {
		if line.ContextMap()["server"] != "admin" {
			t.Errorf("%q has the fields %v, want server=admin", line.Message, line.ContextMap())
		}
	}
	if logs.Len() == 0 {
		t.Error("ZapLogger logged nothing")
	}
}

func TestModuleHandler(t *testing.T) {
	t.Run("None", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module()).Start(t.Context())
		wantError(t, err, "no handler", "http.Handler", "WithHandler", "WithDefaultServeMux")
	})
	t.Run("NoneBecauseServeMux", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(), fx.Provide(http.NewServeMux)).Start(t.Context())
		wantError(t, err, "no handler", "*http.ServeMux", "fx.As(new(http.Handler))")
	})
	t.Run("NoneBecauseNil", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(), provideHandler(nil)).Start(t.Context())
		wantError(t, err, "no handler", "returned nil")
	})
	t.Run("NoneBecauseNilPointer", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(), provideHandler((*http.ServeMux)(nil))).Start(t.Context())
		wantError(t, err, "no handler", "returned nil")
	})
	t.Run("NilReceiver", func(t *testing.T) {
		a := startApp(t, nil, provideHandler((*nilHandler)(nil)))
		if _, body := get(t, newClient(t), a.url("/")); body != "nil" {
			t.Errorf("body = %q, want that of the handler, which works", body)
		}
	})
	t.Run("WrapsNone", func(t *testing.T) {
		a := startApp(t, nil, fx.Decorate(wrapHandler))
		if resp, body := get(t, newClient(t), a.url("/")); resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "no http.Handler") {
			t.Errorf("response = %d %q, want 500 that says why", resp.StatusCode, body)
		}
	})
	t.Run("WrapsDefaultServeMux", func(t *testing.T) {
		before := http.DefaultServeMux
		defer func() { http.DefaultServeMux = before }()
		http.DefaultServeMux = http.NewServeMux()
		http.DefaultServeMux.Handle("/", text("default"))
		a := startApp(t, []fxhttp.Option{fxhttp.WithDefaultServeMux()}, fx.Decorate(wrapHandler))
		if _, body := get(t, newClient(t), a.url("/")); body != "default" {
			t.Errorf("body = %q, want default", body)
		}
	})
	// If the app provides a handler that Fx cannot give, whatever packages registered in
	// http.DefaultServeMux does not replace it.
	t.Run("DefaultServeMuxInPlaceOfPrivate", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(fxhttp.WithDefaultServeMux()), fx.Provide(newDatabaseHandler),
			fx.Module("db", fx.Provide(new(journal).newDatabase, fx.Private))).Start(t.Context())
		wantError(t, err, "http.DefaultServeMux is not served instead", "newDatabaseHandler", "private to another module", "WithHandler(http.DefaultServeMux)")
	})
	t.Run("NoneBecausePrivate", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(), fx.Module("other", fx.Provide(newDatabaseHandler, new(journal).newDatabase, fx.Private))).Start(t.Context())
		wantError(t, err, "no handler", "newDatabaseHandler", "private to another module")
	})
	t.Run("NoneOfThatName", func(t *testing.T) {
		err := fx.New(fx.NopLogger, module(fxhttp.WithName("admin")), provideHandler(text(""))).Start(t.Context())
		wantError(t, err, `server "admin" has no handler`, `name:"admin"`, "without the server's name")
	})
	t.Run("OptionBeforeGraph", func(t *testing.T) {
		unwanted := func() (http.Handler, error) { return nil, errors.New("was constructed") }
		a := startApp(t, []fxhttp.Option{fxhttp.WithHandler(text("option"))}, fx.Provide(unwanted))
		if _, body := get(t, newClient(t), a.url("/")); body != "option" {
			t.Errorf("body = %q, want option", body)
		}
	})
	t.Run("InvokeBeforeOption", func(t *testing.T) {
		var server *fxshutdown.Server
		app := fx.New(fx.NopLogger, fx.Invoke(func(srv *http.Server) { srv.Handler = text("invoke") }),
			module(fxhttp.WithHandler(text("option"))), fx.Populate(&server))
		start(t, app)
		if _, body := get(t, newClient(t), "http://"+server.Addr().String()); body != "invoke" {
			t.Errorf("body = %q, want invoke", body)
		}
	})
}

type missing struct{}

// If the graph cannot give what it was meant to, the app fails, and the error names it.
func TestModuleUnbuildable(t *testing.T) {
	handler := provideHandler(text(""))
	type needy struct{}
	newNeedy := func(missing) *needy { return nil }
	for _, tt := range []struct {
		name string
		opts []fx.Option
		want []string
	}{
		{"Handler", []fx.Option{module(), fx.Provide(func(missing) http.Handler { return nil })},
			[]string{"http.Handler cannot be built", "TestModuleUnbuildable", "nothing provides fxhttp_test.missing"}},
		{"HandlerThoughDefaultServeMux", []fx.Option{module(fxhttp.WithDefaultServeMux()), fx.Provide(func(missing) http.Handler { return nil })},
			[]string{"http.Handler cannot be built", "fxhttp_test.missing"}},
		{"HandlerIndirectly", []fx.Option{module(), fx.Provide(newNeedy, func(*needy) http.Handler { return nil })},
			[]string{"http.Handler cannot be built", "needs *fxhttp_test.needy, which needs fxhttp_test.missing", "nothing provides fxhttp_test.missing"}},
		{"HandlerByGroup", []fx.Option{module(), fx.Provide(
			fx.Annotate(newNeedy, fx.ResultTags(`group:"needy"`)),
			fx.Annotate(func([]*needy) http.Handler { return nil }, fx.ParamTags(`group:"needy"`)))},
			[]string{"http.Handler cannot be built", "nothing provides fxhttp_test.missing"}},
		{"HandlerNotByOptional", []fx.Option{module(), fx.Provide(func(struct {
			fx.In

			Optional *needy `optional:"true"`
			Required missing
		}) http.Handler {
			return nil
		})}, []string{"needs fxhttp_test.missing, and nothing provides fxhttp_test.missing"}},
		{"NamedHandler", []fx.Option{module(fxhttp.WithName("admin")), fx.Provide(
			fx.Annotate(func(missing) http.Handler { return nil }, fx.ResultTags(`name:"admin"`)))},
			[]string{"http.Handler[name=admin] cannot be built", "nothing provides fxhttp_test.missing"}},
		{"Config", []fx.Option{module(), handler, fx.Provide(func(missing) fxhttp.Config { return fxhttp.Config{} })},
			[]string{"fxhttp.Config cannot be built", "nothing provides fxhttp_test.missing"}},
		{"ConfigPrivate", []fx.Option{module(), handler, fx.Module("other", fx.Provide(func() fxhttp.Config { return fxhttp.Config{} }, fx.Private))},
			[]string{"fxhttp.Config", "private to another module", "fx.Supply(fxhttp.Config{})"}},
		{"ConfigPointer", []fx.Option{module(), handler, fx.Supply(&fxhttp.Config{})},
			[]string{"*fxhttp.Config, which nothing uses", "provide fxhttp.Config"}},
		{"ConfigPointerByConstructor", []fx.Option{module(fxhttp.WithName("admin")), fx.Provide(fx.Annotate(
			func() *fxhttp.Config { return new(fxhttp.Config) }, fx.ResultTags(`name:"admin"`)))},
			[]string{"*fxhttp.Config, which nothing uses"}},
		{"ZapLogger", []fx.Option{module(), handler, fx.Provide(func(missing) *zap.Logger { return nil })},
			[]string{"*zap.Logger cannot be built", "nothing provides fxhttp_test.missing"}},
		{"Logger", []fx.Option{module(), handler, fx.Provide(func(missing) fxshutdown.Logger { return nil })},
			[]string{"fxshutdown.Logger cannot be built", "nothing provides fxhttp_test.missing"}},
		{"CycleByProvideOption", []fx.Option{module(), handler, fxhttp.ProvideOption(func(*http.Server) fxhttp.Option { return fxhttp.WithAddr("") })},
			[]string{"cycle", "func(*http.Server) fxhttp.Option"}},
		{"CycleByConfig", []fx.Option{module(), handler, fx.Provide(func(*fxshutdown.Server) fxhttp.Config { return fxhttp.Config{} })},
			[]string{"cycle", "func(*fxshutdown.Server) fxhttp.Config"}},
		{"CycleByNamedConfig", []fx.Option{module(fxhttp.WithName("admin")), fx.Provide(fx.Annotate(
			func(*http.Server) fxhttp.Config { return fxhttp.Config{} }, fx.ParamTags(`name:"admin"`), fx.ResultTags(`name:"admin"`)))},
			[]string{"cycle", "*http.Server"}},
		{"HandlerError", []fx.Option{module(), fx.Provide(func() (http.Handler, error) { return nil, errors.New("no templates") })},
			[]string{"http.Handler", "no templates"}},
		{"ConfigError", []fx.Option{module(), handler, fx.Provide(func() (fxhttp.Config, error) { return fxhttp.Config{}, errors.New("no file") })},
			[]string{"fxhttp.Config", "no file"}},
		{"ZapLoggerError", []fx.Option{module(), handler, fx.Provide(func() (*zap.Logger, error) { return nil, errors.New("no sink") })},
			[]string{"*zap.Logger", "no sink"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, fx.New(append(tt.opts, fx.NopLogger)...).Err(), tt.want...)
		})
	}

	// Each constructor is visited once, however many paths lead to it.
	t.Run("ManyWays", func(t *testing.T) {
		const layers = 30
		name := func(layer, i int) string { return fmt.Sprintf(`name:"%d-%d"`, layer, i) }
		both := func(layer int) fx.Annotation { return fx.ParamTags(name(layer, 0), name(layer, 1)) }
		needs := func(_, _ *needy) *needy { return nil }
		opts := []fx.Option{fx.NopLogger, module(),
			fx.Provide(fx.Annotate(func(_, _ *needy, _ missing) http.Handler { return nil }, both(0)))}
		for layer := range layers {
			for i := range 2 {
				opts = append(opts, fx.Provide(fx.Annotate(needs, both(layer+1), fx.ResultTags(name(layer, i)))))
			}
		}
		for i := range 2 {
			opts = append(opts, fx.Provide(fx.Annotate(func() *needy { return nil }, fx.ResultTags(name(layers, i)))))
		}
		wantError(t, fx.New(opts...).Err(), "http.Handler cannot be built", "nothing provides fxhttp_test.missing")
	})

	// A logger that is private to another module belongs to that module.
	t.Run("NotPrivateLogger", func(t *testing.T) {
		private := fx.Module("other", fx.Provide(zap.NewNop, func(*zap.Logger) *needy { return nil }, fx.Private))
		if err := fx.New(fx.NopLogger, module(), handler, private).Err(); err != nil {
			t.Errorf("Err() = %v, want nil", err)
		}
	})
}

func TestModuleConfig(t *testing.T) {
	loopback := fxhttp.Config{Addr: "127.0.0.1:0"}
	// With a port that is never free, the error shows which Addr was used.
	wrong := fxhttp.Config{Addr: "192.0.2.1:1"}
	named := fx.ResultTags(`name:"admin"`)
	for _, tt := range []struct {
		name string
		opts []fx.Option
	}{
		{"Supply", []fx.Option{fxhttp.Module(), fx.Supply(loopback)}},
		{"Provide", []fx.Option{fxhttp.Module(), fx.Provide(func() fxhttp.Config { return loopback })}},
		{"Replace", []fx.Option{fxhttp.Module(), fx.Supply(wrong), fx.Replace(loopback)}},
		{"ReplaceNothing", []fx.Option{fxhttp.Module(), fx.Replace(loopback)}},
		{"ReplaceBesidePrivate", []fx.Option{fxhttp.Module(), fx.Replace(loopback), fx.Module("other", fx.Supply(wrong, fx.Private))}},
		{"Decorate", []fx.Option{fxhttp.Module(), fx.Supply(wrong), fx.Decorate(func(c fxhttp.Config) fxhttp.Config {
			c.Addr = loopback.Addr
			return c
		})}},
		{"DecorateAroundModule", []fx.Option{fx.Supply(wrong), fx.Module("web", fx.Replace(loopback), fxhttp.Module())}},
		{"Named", []fx.Option{fxhttp.Module(fxhttp.WithName("admin")), fx.Supply(wrong),
			fx.Provide(fx.Annotate(func() fxhttp.Config { return loopback }, named)),
			fx.Provide(fx.Annotate(func(s *fxshutdown.Server) *fxshutdown.Server { return s }, fx.ParamTags(`name:"admin"`))),
			fx.Provide(fx.Annotate(func() http.Handler { return text("") }, named))}},
		{"OptionBeforeConfig", []fx.Option{fxhttp.Module(fxhttp.WithAddr(loopback.Addr)), fx.Supply(wrong)}},
		{"GraphOptionBeforeOption", []fx.Option{fxhttp.Module(fxhttp.WithAddr(wrong.Addr)),
			fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithAddr(loopback.Addr) })}},
		{"LastOptionWins", []fx.Option{fxhttp.Module(fxhttp.WithAddr(wrong.Addr), fxhttp.WithAddr(loopback.Addr))}},
		{"ZeroIsFine", []fx.Option{module(), fx.Supply(fxhttp.Config{})}},
		{"FromPointer", []fx.Option{fxhttp.Module(), fx.Supply(&loopback), fx.Provide(func(c *fxhttp.Config) fxhttp.Config { return *c })}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var server *fxshutdown.Server
			app := fx.New(fx.NopLogger, provideHandler(text("")), fx.Supply(fx.Annotate(new(recorder), fx.As(new(fxshutdown.Logger)))),
				fx.Options(tt.opts...), fx.Populate(&server))
			start(t, app)
			if got := server.Addr().(*net.TCPAddr); !got.IP.Equal(net.IPv4(127, 0, 0, 1)) {
				t.Errorf("Addr() = %v, want the loopback address", got)
			}
		})
	}
}

func TestModuleDecorate(t *testing.T) {
	t.Run("SameServer", func(t *testing.T) {
		a := startApp(t, nil, provideHandler(text("hello")), fx.Decorate(func(srv *http.Server) *http.Server {
			srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return ctx }
			srv.MaxHeaderBytes = 12345
			return srv
		}))
		if got := a.server.HTTPServer(); got.MaxHeaderBytes != 12345 || got != a.srv {
			t.Errorf("the engine serves %+v, want the decorated server", got)
		}
		get(t, newClient(t), a.url("/"))
	})
	t.Run("OtherServer", func(t *testing.T) {
		other := &http.Server{Addr: "127.0.0.1:0"}
		var server *fxshutdown.Server
		app := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithAddr("192.0.2.1:1"), fxhttp.WithLogger(new(recorder))), provideHandler(text("hello")),
			fx.Decorate(func(*http.Server) *http.Server { return other }), fx.Populate(&server))
		start(t, app)
		if got := server.HTTPServer(); got != other {
			t.Errorf("HTTPServer() = %p, want the decorator's, %p", got, other)
		}
		if _, body := get(t, newClient(t), "http://"+server.Addr().String()); body != "hello" {
			t.Errorf("body = %q, want hello", body)
		}
	})
	t.Run("NewServer", func(t *testing.T) {
		for name, opt := range map[string]fx.Option{
			"Replace":  fx.Replace(&http.Server{Addr: "127.0.0.1:0"}),
			"Decorate": fx.Decorate(func() *http.Server { return &http.Server{Addr: "127.0.0.1:0"} }),
		} {
			t.Run(name, func(t *testing.T) {
				a := startApp(t, nil, provideHandler(text("hello")), opt)
				if _, body := get(t, newClient(t), a.url("/")); body != "hello" {
					t.Errorf("body = %q, want hello", body)
				}
			})
		}
	})
	t.Run("Nil", func(t *testing.T) {
		app := fx.New(fx.NopLogger, module(), provideHandler(text("")), fx.Decorate(func(*http.Server) *http.Server { return nil }))
		wantError(t, app.Err(), "the http.Server is nil")
	})
}

func TestModuleNamed(t *testing.T) {
	t.Run("TwoServers", func(t *testing.T) {
		var servers struct {
			fx.In

			Admin    *fxshutdown.Server `name:"admin"`
			Public   *fxshutdown.Server
			AdminSrv *http.Server `name:"admin"`
		}
		app := fx.New(
			fx.NopLogger,
			module(fxhttp.WithName("admin")),
			module(),
			provideHandler(text("public")),
			fx.Provide(fx.Annotate(func(public *fxshutdown.Server) http.Handler { return public.ReadyHandler() }, fx.ResultTags(`name:"admin"`))),
			fxhttp.ProvideNamedOption("admin", func() fxhttp.Option { return fxhttp.WithMaxHeaderBytes(12345) }),
			fx.Populate(&servers),
		)
		start(t, app)
		client := newClient(t)
		if _, body := get(t, client, "http://"+servers.Public.Addr().String()); body != "public" {
			t.Errorf("body = %q, want public", body)
		}
		ready := func() int {
			resp, _ := get(t, client, "http://"+servers.Admin.Addr().String())
			return resp.StatusCode
		}
		if got := ready(); got != 200 {
			t.Errorf("readiness = %d, want 200", got)
		}
		if got := servers.AdminSrv.MaxHeaderBytes; got != 12345 {
			t.Errorf("MaxHeaderBytes = %d, want that of ProvideNamedOption", got)
		}
		// The admin server is listed first, so it answers while the other one stops.
		if err := servers.Public.Stop(t.Context()); err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		if got := ready(); got != 503 {
			t.Errorf("readiness = %d, want 503", got)
		}
	})
	t.Run("StopsInOppositeOrder", func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		record := func(name string) fxhttp.Option { return fxhttp.WithLogger(namedLogger{name, &mu, &order}) }
		app := fx.New(fx.NopLogger,
			module(fxhttp.WithName("admin"), record("admin"), fxhttp.WithHandler(text(""))),
			module(record("public"), fxhttp.WithHandler(text(""))))
		start(t, app)
		if err := stop(app, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"admin starts", "public starts", "public stopped", "admin stopped"}; !slices.Equal(order, want) {
			t.Errorf("order = %q, want %q", order, want)
		}
	})
	t.Run("ErrorsNameTheServer", func(t *testing.T) {
		app := fx.New(fx.NopLogger, module(fxhttp.WithName("admin"), fxhttp.WithMaxHeaderBytes(-1)))
		wantError(t, app.Err(), `server "admin"`, "MaxHeaderBytes -1 is negative")
	})
	t.Run("BadName", func(t *testing.T) {
		for _, name := range []string{`a"b`, "a,b", "a b", "a`b", "ä", "a/b"} {
			wantError(t, fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithName(name))).Err(), "WithName", "name")
			wantError(t, fx.New(fx.NopLogger, fxhttp.ProvideNamedOption(name, func() fxhttp.Option { return nil })).Err(), "ProvideNamedOption", "name")
		}
	})
}

type namedLogger struct {
	name  string
	mu    *sync.Mutex
	order *[]string
}

func (l namedLogger) LogEvent(e fxshutdown.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.(type) {
	case *fxshutdown.Started:
		*l.order = append(*l.order, l.name+" starts")
	case *fxshutdown.Stopped:
		*l.order = append(*l.order, l.name+" stopped")
	}
}

// newOwnServer stands for an app that has an *http.Server already.
func newOwnServer() *http.Server { return nil }

func TestModuleServerAlreadyProvided(t *testing.T) {
	handler := provideHandler(text(""))
	t.Run("ByApp", func(t *testing.T) {
		for _, opts := range [][]fx.Option{
			{handler, fx.Provide(newOwnServer), module()},
			{handler, fx.Module("own", fx.Provide(newOwnServer)), module()},
			{handler, module(), fx.Module("own", fx.Provide(newOwnServer))},
		} {
			wantError(t, fx.New(append(opts, fx.NopLogger)...).Err(), "*http.Server", "already provided by", "newOwnServer", "fxhttp", "newHTTPServer", "module.go")
		}
	})
	t.Run("ByModule", func(t *testing.T) {
		wantError(t, fx.New(fx.NopLogger, handler, module(), module()).Err(), "*http.Server", "already provided by", "fxhttp.Module", "newHTTPServer", "module.go")
	})
	t.Run("WithNameMends", func(t *testing.T) {
		app := fx.New(fx.NopLogger, fx.Provide(newOwnServer), module(fxhttp.WithName("fx"), fxhttp.WithHandler(text(""))))
		start(t, app)
	})
}

func TestProvideOption(t *testing.T) {
	type appConfig struct{ maxHeader int }
	maxHeader := func(c appConfig) fxhttp.Option { return fxhttp.WithMaxHeaderBytes(c.maxHeader) }
	handler := provideHandler(text(""))

	t.Run("FromGraph", func(t *testing.T) {
		a := startApp(t, []fxhttp.Option{fxhttp.WithMaxHeaderBytes(1)}, handler, fx.Supply(appConfig{12345}), fxhttp.ProvideOption(maxHeader),
			fxhttp.ProvideOption(func() (fxhttp.Option, error) { return fxhttp.WithReadTimeout(time.Hour), nil }))
		if got := a.srv.MaxHeaderBytes; got != 12345 {
			t.Errorf("MaxHeaderBytes = %d, want 12345", got)
		}
		if got := a.srv.ReadTimeout; got != time.Hour {
			t.Errorf("ReadTimeout = %v, want 1h", got)
		}
	})
	t.Run("FromChildModule", func(t *testing.T) {
		a := startApp(t, nil, handler, fx.Module("settings", fx.Supply(appConfig{12345}, fx.Private), fxhttp.ProvideOption(maxHeader)))
		if got := a.srv.MaxHeaderBytes; got != 12345 {
			t.Errorf("MaxHeaderBytes = %d, want 12345", got)
		}
	})

	for _, tt := range []struct {
		name string
		opts []fx.Option
		want []string
	}{
		{"MissingDependency", []fx.Option{fxhttp.ProvideOption(maxHeader)},
			[]string{"missing type: fxhttp_test.appConfig"}},
		{"MissingDependencyIndirectly", []fx.Option{fxhttp.ProvideOption(maxHeader), fx.Provide(func(missing) appConfig { return appConfig{} })},
			[]string{"missing type: fxhttp_test.missing"}},
		{"ConstructorError", []fx.Option{fxhttp.ProvideOption(func() (fxhttp.Option, error) { return nil, errors.New("no such port") })},
			[]string{"no such port"}},
		{"NilOption", []fx.Option{fxhttp.ProvideOption(func() fxhttp.Option { return nil })},
			[]string{"an Option built from the graph is nil"}},
		{"SameSetting", []fx.Option{fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithAddr(":1") }), fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithAddr(":2") })},
			[]string{`fxhttp.WithAddr(":1")`, `fxhttp.WithAddr(":2")`, "set Addr", "such options have no order"}},
		{"SameSettingByConfig", []fx.Option{fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithIdleGrace(1) }), fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithConfig(fxhttp.Config{IdleGrace: 2}) })},
			[]string{"fxhttp.WithIdleGrace(1ns)", `fxhttp.WithConfig({"idle_grace":"2ns"})`, "set IdleGrace"}},
		{"Name", []fx.Option{fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithName("admin") })},
			[]string{`fxhttp.WithName("admin")`, "must be given to Module"}},
		{"StopLast", []fx.Option{fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithStopLast() })},
			[]string{`fxhttp.WithStopLast()`, "must be given to Module"}},
		{"NoFunction", []fx.Option{fxhttp.ProvideOption(fxhttp.WithAddr(":1"))},
			[]string{"fxhttp.ProvideOption", "is not a constructor", "want a function that returns an fxhttp.Option"}},
		{"Nil", []fx.Option{fxhttp.ProvideOption(nil)},
			[]string{"fxhttp.ProvideOption", "is not a constructor"}},
		{"OtherResult", []fx.Option{fxhttp.ProvideOption(func() string { return ":1" })},
			[]string{"fxhttp.ProvideOption: func() string", "must return an fxhttp.Option"}},
		{"OtherSecondResult", []fx.Option{fxhttp.ProvideOption(func() (fxhttp.Option, string) { return nil, "" })},
			[]string{"must return an fxhttp.Option"}},
		{"NoSuchServer", []fx.Option{fxhttp.ProvideNamedOption("amdin", func() fxhttp.Option { return fxhttp.WithAddr(":1") })},
			[]string{`fxhttp.ProvideNamedOption: the app has no server "amdin"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, fx.New(module(), handler, fx.NopLogger, fx.Options(tt.opts...)).Err(), tt.want...)
		})
	}
}

// The budget: whatever a handler does, the hooks after the server's run.
func TestModuleStuckHandler(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	cause := make(chan error, 1)
	var released sync.WaitGroup
	released.Add(1)
	stuck := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer released.Done()
		close(entered)
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
		<-release
	})
	hookRan := make(chan time.Duration, 1)
	var began time.Time
	a := startApp(t, nil, fx.Provide(func(lc fx.Lifecycle) http.Handler {
		lc.Append(fx.StopHook(func(ctx context.Context) error {
			hookRan <- time.Since(began)
			return ctx.Err()
		}))
		return stuck
	}))
	t.Cleanup(func() { close(release); released.Wait() })

	client := newClient(t)
	go func() {
		if resp, err := client.Get(a.url("/report?secret=1")); err == nil {
			resp.Body.Close()
		}
	}()
	<-entered

	began = time.Now()
	err := stop(a.App, time.Second)
	if took := time.Since(began); took >= time.Second {
		t.Errorf("Stop took %v, want less than its second", took)
	}
	aborted, ok := errors.AsType[*fxshutdown.AbortedError](err)
	if !ok {
		t.Fatalf("Stop() = %v, want an AbortedError", err)
	}
	if len(aborted.Requests) != 1 || aborted.Requests[0].Age <= 0 {
		t.Errorf("aborted requests = %+v, want one with its age", aborted.Requests)
	}
	wantError(t, err, "stop the server", "GET", `"/report"`)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the query: %v", err)
	}
	select {
	case at := <-hookRan:
		if at >= time.Second {
			t.Errorf("the next hook ran after %v, want it within the second", at)
		}
	default:
		t.Error("the next OnStop hook did not run")
	}
	if err := <-cause; !errors.Is(err, fxshutdown.ErrBudget) {
		t.Errorf("cause of the request's context = %v, want ErrBudget", err)
	}
}

func TestModuleBusyPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	j := new(journal)
	app := fx.New(j.option(), module(fxhttp.WithAddr(ln.Addr().String())), fx.Provide(j.newDatabase, newDatabaseHandler))
	err = app.Start(t.Context())
	wantError(t, err, "start the server", "listen", ln.Addr().String())
	// The hooks that did start are stopped. TestMain checks that the server left no
	// goroutine.
	j.check(t, "database starts", "server starts", "database stops")
}

func TestModuleListenerDies(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.InfoLevel)
	app := fx.New(fx.NopLogger, fx.Supply(zap.New(core)), fxhttp.Module(fxhttp.WithListener(ln)), provideHandler(text("")))
	start(t, app)
	wait := app.Wait()
	ln.Close()
	select {
	case sig := <-wait:
		if sig.ExitCode == 0 {
			t.Error("exit code = 0, want another")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the app does not end")
	}
	if err := stop(app, 5*time.Second); err != nil {
		t.Errorf("Stop() = %v, want nil: the log has the cause", err)
	}
	failed := logs.FilterLevelExact(zapcore.ErrorLevel).All()
	if len(failed) != 1 || !strings.Contains(fmt.Sprint(failed[0].ContextMap()["error"]), "closed") {
		t.Errorf("errors logged = %v, want the listener's", failed)
	}
}

// A failed start of a later hook stops the server.
func TestModuleRollback(t *testing.T) {
	var server *fxshutdown.Server
	app := fx.New(fx.NopLogger, module(), provideHandler(text("")), fx.Populate(&server),
		fx.Invoke(func(lc fx.Lifecycle) {
			lc.Append(fx.StartHook(func() error { return errors.New("no cache") }))
		}))
	wantError(t, app.Start(t.Context()), "no cache")
	select {
	case <-server.Done():
	default:
		t.Error("the server still serves")
	}
}

// If there are several loggers, only one gets the events.
func TestModuleLogger(t *testing.T) {
	var (
		option, graph *recorder
		zapped        *observer.ObservedLogs
		slogged       *lockedBuffer
	)
	for _, tt := range []struct {
		name              string
		byOption, byGraph bool
		byZap             bool
		want              func() bool
	}{
		{"Option", true, true, true, func() bool { return len(option.events) > 0 }},
		{"Graph", false, true, true, func() bool { return len(graph.events) > 0 }},
		{"Zap", false, false, true, func() bool { return zapped.FilterMessage("http server stopped").Len() == 1 }},
		{"Slog", false, false, false, func() bool { return strings.Contains(slogged.String(), "http server stopped") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			option, graph, slogged = new(recorder), new(recorder), new(lockedBuffer)
			defer slog.SetDefault(slog.Default())
			slog.SetDefault(slog.New(slog.NewTextHandler(slogged, nil)))
			opts := []fxhttp.Option{fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(text(""))}
			if tt.byOption {
				opts = append(opts, fxhttp.WithLogger(option))
			}
			rest := []fx.Option{fx.NopLogger, fxhttp.Module(opts...)}
			if tt.byGraph {
				rest = append(rest, fx.Supply(fx.Annotate(graph, fx.As(new(fxshutdown.Logger)))))
			}
			core, logs := observer.New(zapcore.InfoLevel)
			zapped = logs
			if tt.byZap {
				rest = append(rest, fx.Supply(zap.New(core)))
			}
			app := fx.New(rest...)
			start(t, app)
			if err := stop(app, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			got := 0
			for _, some := range []bool{len(option.events) > 0, len(graph.events) > 0, zapped.Len() > 0, slogged.String() != ""} {
				if some {
					got++
				}
			}
			if !tt.want() || got != 1 {
				t.Errorf("option got %d events, graph %d, zap %d, slog %q; want %s alone",
					len(option.events), len(graph.events), zapped.Len(), slogged, tt.name)
			}
		})
	}

	t.Run("NameAsField", func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		app := fx.New(fx.NopLogger, fx.Supply(zap.New(core)),
			fxhttp.Module(fxhttp.WithName("admin"), fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(text(""))))
		start(t, app)
		if err := stop(app, 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if all, named := logs.Len(), logs.FilterField(zap.String("server", "admin")).Len(); named != all || all == 0 {
			t.Errorf("%d of %d lines have the field, want all", named, all)
		}
	})

	t.Run("ErrorLog", func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		a := startApp(t, nil, fx.Supply(zap.New(core)), provideHandler(text("")))
		a.srv.ErrorLog.Print("bad handshake")
		if got := logs.FilterMessage("bad handshake").FilterLevelExact(zapcore.WarnLevel).Len(); got != 1 {
			t.Errorf("log = %v, want the line as a warning", logs.All())
		}
	})
}

// lockedBuffer is a buffer that several goroutines may write to.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
