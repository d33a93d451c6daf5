package fxhttpsystemd_test

import (
	"errors"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpsystemd "github.com/fxshutdown/fxhttp/systemd"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		option fxhttpsystemd.Option
		want   string
	}{
		{fxhttpsystemd.WithSocket("http"), `fxhttpsystemd.WithSocket("http")`},
		{fxhttpsystemd.WithNamedSocket("admin", "a"), `fxhttpsystemd.WithNamedSocket("admin", "a")`},
		{fxhttpsystemd.WithOwnListeners(), "fxhttpsystemd.WithOwnListeners()"},
	} {
		if got := c.option.String(); got != c.want {
			t.Errorf("String() = %q, want %q", got, c.want)
		}
	}
}

func TestModuleError(t *testing.T) {
	for name, c := range map[string]struct {
		module fx.Option
		want   string
	}{
		"Nil":       {fxhttpsystemd.Module(nil), "option 1 is nil"},
		"NoName":    {fxhttpsystemd.Module(fxhttpsystemd.WithSocket("")), `WithSocket(""): the socket's name is empty`},
		"NoServer":  {fxhttpsystemd.Module(fxhttpsystemd.WithNamedSocket("", "a")), `WithNamedSocket("", "a"): the server's name is empty`},
		"Twice":     {fxhttpsystemd.Module(fxhttpsystemd.WithSocket("a"), fxhttpsystemd.WithNamedSocket("b", "a")), `the socket "a" is taken twice`},
		"Two":       {fxhttpsystemd.Module(fxhttpsystemd.WithSocket("a"), fxhttpsystemd.WithSocket("b")), `the server already has the socket "a"`},
		"Health":    {fxhttpsystemd.AsHealth(func() error { return nil }), "func() error is not a constructor of a fxhttpsystemd.Health"},
		"HealthNil": {fxhttpsystemd.AsHealth(nil), "is not a constructor"},
		"NotActivated": {fxhttpsystemd.Module(fxhttpsystemd.WithSocket("http")),
			`no socket "http": this process was passed no sockets: LISTEN_FDS is not set`},
	} {
		t.Run(name, func(t *testing.T) {
			err := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithHandler(hello)), c.module).Err()
			wantError(t, err, c.want)
			if err != nil && !strings.HasPrefix(err.Error(), "fxhttpsystemd") {
				t.Errorf("error %q does not begin with the cause", err)
			}
		})
	}
}

// The errors can be told apart, and the app can do without systemd.
func TestNotActivated(t *testing.T) {
	if _, err := fxhttpsystemd.Listener("http"); !errors.Is(err, fxhttpsystemd.ErrNotActivated) {
		t.Errorf("Listener() = %v, want ErrNotActivated", err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	a := newApp(t, serve(hello), fxhttpsystemd.Module(fxhttpsystemd.WithSocket("http"), fxhttpsystemd.WithOwnListeners()))
	a.mustStart(t)
	if got := a.server.Addr().Network(); got != "tcp" {
		t.Errorf("Addr() is of %s", got)
	}
}
