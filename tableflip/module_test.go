package fxhttptableflip_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/cloudflare/tableflip"
	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttptableflip "github.com/fxshutdown/fxhttp/tableflip"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		option fxhttptableflip.Option
		want   string
	}{
		{fxhttptableflip.WithListen("tcp", ":80"), `fxhttptableflip.WithListen("tcp", ":80")`},
		{fxhttptableflip.WithNamedListen("a", "unix", "/b"), `fxhttptableflip.WithNamedListen("a", "unix", "/b")`},
		{fxhttptableflip.WithPIDFile("/p"), `fxhttptableflip.WithPIDFile("/p")`},
		{fxhttptableflip.WithUpgradeTimeout(time.Second), "fxhttptableflip.WithUpgradeTimeout(1s)"},
		{fxhttptableflip.WithUpgradeSignals(syscall.SIGTERM), "fxhttptableflip.WithUpgradeSignals([terminated])"},
	} {
		if got := c.option.String(); got != c.want {
			t.Errorf("String() = %q, want %q", got, c.want)
		}
	}
}

func TestModuleError(t *testing.T) {
	listen := fxhttptableflip.WithListen("tcp", "127.0.0.1:1")
	for name, c := range map[string]struct {
		options []fxhttptableflip.Option
		want    string
	}{
		"Nil":      {[]fxhttptableflip.Option{nil}, "option 1 is nil"},
		"Network":  {[]fxhttptableflip.Option{fxhttptableflip.WithListen("udp", ":80")}, `the network is "udp"`},
		"NoAddr":   {[]fxhttptableflip.Option{fxhttptableflip.WithListen("tcp", "")}, "the address is empty"},
		"Port0":    {[]fxhttptableflip.Option{fxhttptableflip.WithListen("tcp", "127.0.0.1:0")}, `WithListen("tcp", "127.0.0.1:0"): port 0`},
		"Again":    {[]fxhttptableflip.Option{listen, fxhttptableflip.WithListen("tcp", ":2")}, "the server already listens on tcp 127.0.0.1:1"},
		"Taken":    {[]fxhttptableflip.Option{listen, fxhttptableflip.WithNamedListen("b", "tcp", "127.0.0.1:1")}, "the address is taken twice"},
		"NoServer": {[]fxhttptableflip.Option{fxhttptableflip.WithNamedListen("", "tcp", ":1")}, "the server's name is empty"},
		"PIDFile":  {[]fxhttptableflip.Option{fxhttptableflip.WithPIDFile("")}, "the path is empty"},
		"Timeout":  {[]fxhttptableflip.Option{fxhttptableflip.WithUpgradeTimeout(0)}, "needs time"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, fx.New(fx.NopLogger, fxhttptableflip.Module(c.options...)).Err(), c.want)
		})
	}
}

// Where tableflip is not supported the servers listen by themselves.
func TestNotSupported(t *testing.T) {
	fxhttptableflip.ReplaceTableflip(t, func(tableflip.Options) (*tableflip.Upgrader, error) { return nil, tableflip.ErrNotSupported })
	module := fxhttptableflip.Module(fxhttptableflip.WithListen("tcp", freeAddr(t)))
	var u *fxhttptableflip.Upgrader
	var server *fxshutdown.Server
	app := fx.New(fx.NopLogger, fxhttp.Module(fxhttp.WithHandler(hello)), module, fx.Populate(&u, &server))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := app.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := u.Upgrade(ctx); !errors.Is(err, tableflip.ErrNotSupported) {
		t.Errorf("Upgrade() = %v, want ErrNotSupported", err)
	}
	if server.Addr() == nil || u.Fds() != nil || u.Upgraded() {
		t.Errorf("Addr() = %v, Fds() = %v, Upgraded() = %v", server.Addr(), u.Fds(), u.Upgraded())
	}
	if err := app.Stop(ctx); err != nil {
		t.Error(err)
	}

	t.Run("ListedTooEarly", func(t *testing.T) {
		app := fx.New(fx.NopLogger, fxhttptableflip.Module(), fxhttp.Module(fxhttp.WithHandler(hello), fxhttp.WithAddr("127.0.0.1:0")))
		wantError(t, app.Start(ctx), "the http server would start after the predecessor", "after every fxhttp.Module")
	})
}

func TestTableflipError(t *testing.T) {
	fxhttptableflip.ReplaceTableflip(t, func(tableflip.Options) (*tableflip.Upgrader, error) { return nil, errors.New("only a single one") })
	wantError(t, fx.New(fx.NopLogger, fxhttptableflip.Module()).Err(), "fxhttptableflip: only a single one")
}
