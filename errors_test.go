package fxhttp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// An error is one line that begins with the cause, not with dig's path to it.
func TestErrorsBeginWithTheCause(t *testing.T) {
	handler := provideHandler(text(""))
	stray := func() fxhttp.Option { return fxhttp.WithAddr(":1") }
	for _, tt := range []struct {
		name  string
		app   fx.Option
		wants string
	}{
		{"Value", fxhttp.Module(fxhttp.WithNetwork("udp")),
			`fxhttp: settings of the server: Network "udp"`},
		{"Contradiction", fxhttp.Module(fxhttp.WithName("a"), fxhttp.WithRequestGrace(time.Minute), fxhttp.WithDrainTimeout(time.Second)),
			`fxhttp: settings of server "a": RequestGrace 1m0s has no effect`},
		{"Several", fxhttp.Module(fxhttp.WithAddr("8080"), fxhttp.WithTLS(nil)),
			`fxhttp: settings of the server: fxhttp.WithTLS(nil): the argument is nil; Addr "8080": missing port`},
		{"Default", fxhttp.Module(fxhttp.WithRequestGrace(time.Millisecond)),
			`fxhttp: settings of the server: RequestGrace 1ms is shorter than IdleGrace 250ms`},
		{"Files", fxhttp.Module(fxhttp.WithTLSFiles("no-cert.pem", "no-key.pem")),
			`fxhttp: settings of the server: TLS files: open no-cert.pem`},
		{"Config", fx.Options(fxhttp.Module(), fx.Supply(fxhttp.Config{MaxHeaderBytes: -1})),
			`fxhttp: settings of the server: MaxHeaderBytes -1`},
		{"ProvideOption", fx.Options(fxhttp.Module(), fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithNetwork("udp") })),
			`fxhttp: settings of the server: Network "udp"`},
		{"BeforeAnInvoke", fx.Options(fxhttp.Module(fxhttp.WithRequestGrace(time.Millisecond)), fx.Invoke(func(*http.Server) {})),
			`fxhttp: settings of the server: RequestGrace 1ms`},
		{"Stray", fx.Options(fxhttp.Module(), fx.Provide(stray)),
			`fxhttp: the app provides fxhttp.WithAddr(":1") as a plain value, which nothing uses: give its constructor to fxhttp.ProvideOption`},
		{"StrayBesideNamed", fx.Options(fxhttp.Module(fxhttp.WithName("a")), fx.Provide(stray)),
			`fxhttp: the app provides fxhttp.WithAddr(":1")`},
		{"StrayNamed", fx.Options(fxhttp.Module(fxhttp.WithName("a")), fx.Provide(fx.Annotate(stray, fx.ResultTags(`name:"a"`)))),
			`fxhttp: the app provides fxhttp.WithAddr(":1")`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := fx.New(fx.NopLogger, handler, tt.app).Err()
			if err == nil || !strings.HasPrefix(err.Error(), tt.wants) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Err() = %v\nwant a line that begins with %s", err, tt.wants)
			}
		})
	}
}

// Settings are read when Module's turn among the invokes comes, so that an earlier invoke
// can prepare them.
func TestSettingsAreReadInTurn(t *testing.T) {
	addr := "nowhere"
	app := fx.New(fx.NopLogger, provideHandler(text("")),
		fx.Invoke(func() { addr = "127.0.0.1:0" }),
		fx.Provide(func() fxhttp.Config { return fxhttp.Config{Addr: addr} }),
		fxhttp.Module(fxhttp.WithLogger(new(recorder))))
	start(t, app)
}

// Options that would be wrong without a Config are not rejected before the graph's Config
// is known.
func TestModuleWaitsForConfig(t *testing.T) {
	socket := t.TempDir() + "/s"
	for _, tt := range []struct {
		name   string
		option fxhttp.Option
		config fxhttp.Config
	}{
		{"Grace", fxhttp.WithRequestGrace(time.Millisecond), fxhttp.Config{Addr: "127.0.0.1:0", IdleGrace: -1}},
		{"Path", fxhttp.WithAddr(socket), fxhttp.Config{Network: "unix"}},
		{"Network", fxhttp.WithNetwork("unix"), fxhttp.Config{Addr: socket}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := fx.New(fx.NopLogger, provideHandler(text("")), fx.Supply(tt.config), fxhttp.Module(tt.option, fxhttp.WithLogger(new(recorder))))
			start(t, app)
		})
	}
}

// The error for two servers without a name says how to name one.
func TestTwoServersMentionWithName(t *testing.T) {
	handler := provideHandler(text(""))
	for name, opts := range map[string]fx.Option{
		"TwoModules": fx.Options(module(), module()),
		"OwnFirst":   fx.Options(fx.Provide(newOwnServer), module()),
		"OwnLast":    fx.Options(module(), fx.Module("own", fx.Provide(newOwnServer))),
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, fx.New(fx.NopLogger, handler, opts).Err(), "already provided", "WithName")
		})
	}
}

// An *http.Server without an address would listen on port 80.
func TestServerWithoutAddr(t *testing.T) {
	own := fx.Decorate(func(*http.Server) *http.Server { return &http.Server{Handler: text("hello")} })
	app := fx.New(fx.NopLogger, module(), own)
	wantError(t, app.Start(t.Context()), "the server has no address", "fx.Decorate", "Addr")

	t.Run("SetByInvoke", func(t *testing.T) {
		start(t, fx.New(fx.NopLogger, module(), own, fx.Invoke(func(srv *http.Server) { srv.Addr = "127.0.0.1:0" })))
	})
	t.Run("Listener", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		start(t, fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithListener(ln), fxhttp.WithLogger(new(recorder))), own))
	})
}

// warned returns the warnings of a server that starts and stops.
func warned(t *testing.T, opts ...fx.Option) (warnings []string) {
	t.Helper()
	core, logs := observer.New(zapcore.WarnLevel)
	app := fx.New(fx.NopLogger, provideHandler(text("")), fx.Supply(zap.New(core)), fx.Options(opts...))
	start(t, app)
	if err := stop(app, 5*time.Second); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	for _, e := range logs.All() {
		warnings = append(warnings, e.Message)
	}
	return warnings
}

// There is a warning for a Config that options override: whoever replaces a Config in a
// test expects it to have an effect.
func TestOverriddenConfig(t *testing.T) {
	replace := fx.Replace(fxhttp.Config{Addr: "127.0.0.1:1", IdleGrace: time.Second})
	addr := fxhttp.WithAddr("127.0.0.1:0")
	for _, tt := range []struct {
		name string
		opts fx.Option
		want string
	}{
		{"Replace", fx.Options(fxhttp.Module(addr), fx.Supply(fxhttp.Config{}), replace),
			`fxhttp: Addr of the Config in the graph (127.0.0.1:1) has no effect: fxhttp.WithAddr("127.0.0.1:0") overrides it`},
		{"ReplaceNothing", fx.Options(fxhttp.Module(addr), replace), "fxhttp: Addr of the Config"},
		{"Duration", fx.Options(fxhttp.Module(addr, fxhttp.WithIdleGrace(-1)), fx.Supply(fxhttp.Config{IdleGrace: time.Second})),
			"fxhttp: IdleGrace of the Config in the graph (1s) has no effect: fxhttp.WithIdleGrace(-1ns)"},
		{"Same", fx.Options(fxhttp.Module(addr), fx.Supply(fxhttp.Config{Addr: "127.0.0.1:0"})), ""},
		{"ProvideOption", fx.Options(fxhttp.Module(), fxhttp.ProvideOption(func() fxhttp.Option { return addr }), replace), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := warned(t, tt.opts)
			if tt.want == "" && len(got) == 0 {
				return
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], tt.want) || tt.want == "" {
				t.Errorf("warnings = %q, want %q", got, tt.want)
			}
		})
	}
}

// A failed start changes nothing, so the next start logs no warning.
func TestSecondStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	core, logs := observer.New(zapcore.WarnLevel)
	app := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithAddr(ln.Addr().String())), provideHandler(text("")), fx.Supply(zap.New(core)))
	wantError(t, app.Start(t.Context()), "listen")
	ln.Close()
	start(t, app)
	if logs.Len() > 0 {
		t.Errorf("warnings = %v, want none", logs.All())
	}
}

// The module's log names the limit of a stop as its users know it: fx.StopTimeout.
func TestSkippedDelayNamesStopTimeout(t *testing.T) {
	core, logs := observer.New(zapcore.InfoLevel)
	var server *fxshutdown.Server
	app := fx.New(fx.NopLogger, provideHandler(text("")), fx.Supply(zap.New(core)), fx.Populate(&server),
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithShutdownDelay(time.Minute)))
	start(t, app)
	get(t, newClient(t), "http://"+server.Addr().String())
	if err := stop(app, 5*time.Second); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}
	lines := logs.FilterMessage("http server stopping").All()
	if len(lines) != 1 {
		t.Fatalf("%d lines about the stop, want one", len(lines))
	}
	if got := lines[0].ContextMap()["delay_skipped"]; lines[0].Level != zapcore.WarnLevel || got != "it does not fit fx.StopTimeout" {
		t.Errorf("%v: delay_skipped = %v, want a warning that names fx.StopTimeout", lines[0].Level, got)
	}
}

// The error of a stop that ran out of time is that of its context, as it would be with
// http.Server.Shutdown.
func TestStopErrorIsOfContext(t *testing.T) {
	entered := make(chan struct{})
	stuck := make(chan struct{})
	defer close(stuck)
	app := startApp(t, []fxhttp.Option{fxhttp.WithDrainTimeout(300 * time.Millisecond)}, provideHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-stuck
	})))
	io.WriteString(app.dial(t), "GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	err := stop(app.App, time.Minute)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, fxshutdown.ErrBudget) {
		t.Errorf("Stop() = %v, want it to be context.DeadlineExceeded and ErrBudget", err)
	}
}

// If a constructor of a setting fails, the error begins near its cause, and does not show
// the module's own constructors on the path to it.
func TestSourceErrorIsNotBuried(t *testing.T) {
	errCause := errors.New("line 2: field adr not found")
	tag := fx.ResultTags(`name:"api"`)
	named, logger := fxhttp.Module(fxhttp.WithName("api")), fx.Provide(func() (*zap.Logger, error) { return nil, errCause })
	config := func() (fxhttp.Config, error) { return fxhttp.Config{}, errCause }
	option := func() (fxhttp.Option, error) { return nil, errCause }
	for name, app := range map[string]fx.Option{
		"Config":      fx.Options(fxhttp.Module(), fx.Provide(config)),
		"NamedConfig": fx.Options(named, fx.Provide(fx.Annotate(config, tag))),
		"Option":      fx.Options(fxhttp.Module(), fxhttp.ProvideOption(option)),
		"NamedOption": fx.Options(named, fxhttp.ProvideNamedOption("api", option)),
		"Zap":         fx.Options(fxhttp.Module(), logger),
		"NamedZap":    fx.Options(named, logger),
	} {
		t.Run(name, func(t *testing.T) {
			err := fx.New(fx.NopLogger, app).Err()
			if !errors.Is(err, errCause) {
				t.Fatalf("Err() = %v, want the cause", err)
			}
			if strings.Contains(err.Error(), "*fxhttp.") || strings.Count(err.Error(), "could not build arguments") > 1 {
				t.Errorf("Err() = %v, want it without the path to the cause", err)
			}
		})
	}
}
