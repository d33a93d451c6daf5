package fxhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// optionNames reads the names of the functions that make options from the source, so that
// no table here can forget one.
func optionNames(t *testing.T) []string {
	file, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "With") {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

func TestOptionString(t *testing.T) {
	h1 := new(http.Protocols)
	h1.SetHTTP1(true)
	h1.SetUnencryptedHTTP2(true)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	tests := []struct {
		option fxhttp.Option
		want   string
	}{
		{fxhttp.WithName("admin"), `fxhttp.WithName("admin")`},
		{fxhttp.WithStopLast(), `fxhttp.WithStopLast()`},
		{fxhttp.WithDefaultAddr(":8081"), `fxhttp.WithDefaultAddr(":8081")`},
		{fxhttp.WithAddr(":8080"), `fxhttp.WithAddr(":8080")`},
		{fxhttp.WithNetwork("unix"), `fxhttp.WithNetwork("unix")`},
		{fxhttp.WithSocketMode(0o660), `fxhttp.WithSocketMode(0660)`},
		{fxhttp.WithListener(ln), `fxhttp.WithListener(tcp ` + ln.Addr().String() + `)`},
		{fxhttp.WithListener(nil), `fxhttp.WithListener(nil)`},
		{fxhttp.WithListenerOwned(func() bool { return true }), `fxhttp.WithListenerOwned(func() bool)`},
		{fxhttp.WithListenerOwned(nil), `fxhttp.WithListenerOwned(nil)`},
		{fxhttp.WithListenerHandedOver(func() bool { return true }), `fxhttp.WithListenerHandedOver(func() bool)`},
		{fxhttp.WithListenConfig(net.ListenConfig{}), `fxhttp.WithListenConfig(net.ListenConfig)`},
		{fxhttp.WithTLS(&tls.Config{ServerName: "secret"}), `fxhttp.WithTLS(*tls.Config)`},
		{fxhttp.WithTLS(nil), `fxhttp.WithTLS(nil)`},
		{fxhttp.WithTLSFiles("cert.pem", "key.pem"), `fxhttp.WithTLSFiles("cert.pem", "key.pem")`},
		{fxhttp.WithHandler(http.NewServeMux()), `fxhttp.WithHandler(*http.ServeMux)`},
		{fxhttp.WithHandler(nil), `fxhttp.WithHandler(nil)`},
		{fxhttp.WithDefaultServeMux(), `fxhttp.WithDefaultServeMux()`},
		{fxhttp.WithConfig(fxhttp.Config{Addr: ":8080", IdleGrace: time.Second}), `fxhttp.WithConfig({"addr":":8080","idle_grace":"1s"})`},
		{fxhttp.WithIdleGrace(250 * time.Millisecond), `fxhttp.WithIdleGrace(250ms)`},
		{fxhttp.WithShutdownDelay(5 * time.Second), `fxhttp.WithShutdownDelay(5s)`},
		{fxhttp.WithRequestGrace(5 * time.Second), `fxhttp.WithRequestGrace(5s)`},
		{fxhttp.WithHijackGrace(5 * time.Second), `fxhttp.WithHijackGrace(5s)`},
		{fxhttp.WithMaxConnectionAge(time.Hour), `fxhttp.WithMaxConnectionAge(1h0m0s)`},
		{fxhttp.WithMaxConnectionAgeGrace(time.Minute), `fxhttp.WithMaxConnectionAgeGrace(1m0s)`},
		{fxhttp.WithMaxRequestsPerConnection(1000), `fxhttp.WithMaxRequestsPerConnection(1000)`},
		{fxhttp.WithDrainSpread(10 * time.Second), `fxhttp.WithDrainSpread(10s)`},
		{fxhttp.WithDrainTimeout(time.Minute), `fxhttp.WithDrainTimeout(1m0s)`},
		{fxhttp.WithStopReserve(-1), `fxhttp.WithStopReserve(-1ns)`},
		{fxhttp.WithUnreadySignals(), fmt.Sprintf(`fxhttp.WithUnreadySignals(%v, %v)`, os.Interrupt, syscall.SIGTERM)},
		{fxhttp.WithForceSignals(), fmt.Sprintf(`fxhttp.WithForceSignals(%v, %v)`, os.Interrupt, syscall.SIGTERM)},
		{fxhttp.WithForceSignals(os.Interrupt), fmt.Sprintf(`fxhttp.WithForceSignals(%v)`, os.Interrupt)},
		{fxhttp.WithReadTimeout(time.Second), `fxhttp.WithReadTimeout(1s)`},
		{fxhttp.WithReadHeaderTimeout(time.Second), `fxhttp.WithReadHeaderTimeout(1s)`},
		{fxhttp.WithWriteTimeout(time.Second), `fxhttp.WithWriteTimeout(1s)`},
		{fxhttp.WithIdleTimeout(time.Second), `fxhttp.WithIdleTimeout(1s)`},
		{fxhttp.WithMaxHeaderBytes(4096), `fxhttp.WithMaxHeaderBytes(4096)`},
		{fxhttp.WithMaxConnections(100), `fxhttp.WithMaxConnections(100)`},
		{fxhttp.WithProtocols(h1), `fxhttp.WithProtocols(HTTP1,UnencryptedHTTP2)`},
		{fxhttp.WithProtocols(nil), `fxhttp.WithProtocols(nil)`},
		{fxhttp.WithHTTP2(&http.HTTP2Config{}), `fxhttp.WithHTTP2(*http.HTTP2Config)`},
		{fxhttp.WithHTTP2(nil), `fxhttp.WithHTTP2(nil)`},
		{fxhttp.WithErrorLog(log.Default()), `fxhttp.WithErrorLog(*log.Logger)`},
		{fxhttp.WithErrorLog(nil), `fxhttp.WithErrorLog(nil)`},
		{fxhttp.WithBaseContext(func(net.Listener) context.Context { return nil }), `fxhttp.WithBaseContext(func(net.Listener) context.Context)`},
		{fxhttp.WithConnContext(func(context.Context, net.Conn) context.Context { return nil }), `fxhttp.WithConnContext(func(context.Context, net.Conn) context.Context)`},
		{fxhttp.WithConnState(func(net.Conn, http.ConnState) {}), `fxhttp.WithConnState(func(net.Conn, http.ConnState))`},
		{fxhttp.WithLogger(&fxhttp.ZapLogger{}), `fxhttp.WithLogger(*fxhttp.ZapLogger)`},
	}
	var seen []string
	for _, tt := range tests {
		if got := tt.option.String(); got != tt.want {
			t.Errorf("String() = %s, want %s", got, tt.want)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(tt.option.String(), "fxhttp."), "(")
		seen = append(seen, name)
	}
	for _, name := range optionNames(t) {
		if !slices.Contains(seen, name) {
			t.Errorf("%s is missing from this table", name)
		}
	}
}

// Every unusable value fails the app, and one error names all of them.
func TestOptionInvalid(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ln := &pipeListener{}
	onlyHTTP2 := new(http.Protocols)
	onlyHTTP2.SetHTTP2(true)
	for _, tt := range []struct {
		opts []fxhttp.Option
		want []string
	}{
		{[]fxhttp.Option{fxhttp.WithAddr("8080")}, []string{`Addr "8080"`, "missing port"}},
		{[]fxhttp.Option{fxhttp.WithAddr("/run/app.sock")}, []string{`Addr "/run/app.sock" is the path of a socket`, "set Network to unix"}},
		{[]fxhttp.Option{fxhttp.WithAddr("@app"), fxhttp.WithNetwork("tcp4")}, []string{`Addr "@app" is the path of a socket, but Network is tcp4`}},
		{[]fxhttp.Option{fxhttp.WithDefaultAddr("8080")}, []string{`WithDefaultAddr("8080")`, "missing port"}},
		{[]fxhttp.Option{fxhttp.WithNetwork("udp")}, []string{`Network "udp"`}},
		{[]fxhttp.Option{fxhttp.WithNetwork("unix")}, []string{"Addr is empty"}},
		{[]fxhttp.Option{fxhttp.WithSocketMode(fs.ModeSetuid | 0o660)}, []string{`SocketMode "040000660"`, "0660"}},
		{[]fxhttp.Option{fxhttp.WithSocketMode(0o660), fxhttp.WithNetwork("tcp")}, []string{"SocketMode", "tcp"}},
		{[]fxhttp.Option{fxhttp.WithMaxRequestsPerConnection(-1)}, []string{"MaxRequestsPerConnection -1 is negative"}},
		{[]fxhttp.Option{fxhttp.WithListener(nil)}, []string{"WithListener(nil)"}},
		{[]fxhttp.Option{fxhttp.WithListenerOwned(nil)}, []string{"WithListenerOwned(nil)"}},
		{[]fxhttp.Option{fxhttp.WithListenerHandedOver(nil)}, []string{"WithListenerHandedOver(nil)"}},
		{[]fxhttp.Option{fxhttp.WithListenerOwned(never)}, []string{"WithListenerOwned(", "needs WithListener"}},
		{[]fxhttp.Option{fxhttp.WithListenerHandedOver(never)}, []string{"WithListenerHandedOver(", "needs WithListener"}},
		{[]fxhttp.Option{fxhttp.WithListenConfig(net.ListenConfig{}), fxhttp.WithListener(ln)}, []string{"WithListenConfig(", "WithListener(pipe pipe)", "exclude"}},
		{[]fxhttp.Option{fxhttp.WithListener(ln), fxhttp.WithAddr(":1")}, []string{"WithListener(pipe pipe)", `WithAddr(":1")`, "exclude"}},
		{[]fxhttp.Option{fxhttp.WithNetwork("tcp4"), fxhttp.WithListener(ln)}, []string{"WithListener(pipe pipe)", `WithNetwork("tcp4")`, "exclude"}},
		{[]fxhttp.Option{fxhttp.WithTLS(nil)}, []string{"WithTLS(nil)"}},
		{[]fxhttp.Option{fxhttp.WithTLS(&tls.Config{})}, []string{"WithTLS(*tls.Config)", "no certificate", "GetCertificate"}},
		{[]fxhttp.Option{fxhttp.WithTLSFiles("no-cert.pem", "no-key.pem")}, []string{"no-cert.pem", "no-key.pem"}},
		{[]fxhttp.Option{fxhttp.WithTLSFiles(empty, empty)}, []string{"empty.pem", "PEM"}},
		{[]fxhttp.Option{fxhttp.WithTLSFiles("", "")}, []string{`WithTLSFiles("", "")`, "both file names are empty"}},
		{[]fxhttp.Option{fxhttp.WithTLSFiles("cert.pem", "")}, []string{`TLSCertFile is "cert.pem"`}},
		{[]fxhttp.Option{fxhttp.WithHandler(nil)}, []string{"WithHandler(nil)"}},
		{[]fxhttp.Option{fxhttp.WithConfig(fxhttp.Config{MaxHeaderBytes: -1})}, []string{"MaxHeaderBytes -1"}},
		{[]fxhttp.Option{fxhttp.WithDrainTimeout(time.Second), fxhttp.WithIdleGrace(2 * time.Second)}, []string{"DrainTimeout 1s", "IdleGrace 2s"}},
		{[]fxhttp.Option{fxhttp.WithRequestGrace(time.Millisecond)}, []string{"RequestGrace 1ms", "IdleGrace"}},
		{[]fxhttp.Option{fxhttp.WithHijackGrace(time.Minute), fxhttp.WithDrainTimeout(time.Second)}, []string{"HijackGrace 1m0s", "DrainTimeout"}},
		{[]fxhttp.Option{fxhttp.WithForceSignals(nil)}, []string{"WithForceSignals"}},
		{[]fxhttp.Option{fxhttp.WithUnreadySignals(os.Kill)}, []string{"WithUnreadySignals", "cannot be caught"}},
		{[]fxhttp.Option{fxhttp.WithMaxHeaderBytes(-1)}, []string{"MaxHeaderBytes -1"}},
		{[]fxhttp.Option{fxhttp.WithMaxConnections(-1)}, []string{"MaxConnections -1 is negative"}},
		{[]fxhttp.Option{fxhttp.WithProtocols(nil)}, []string{"WithProtocols(nil)"}},
		{[]fxhttp.Option{fxhttp.WithProtocols(new(http.Protocols))}, []string{"WithProtocols()", "no protocol"}},
		{[]fxhttp.Option{fxhttp.WithHTTP2(nil)}, []string{"WithHTTP2(nil)"}},
		{[]fxhttp.Option{fxhttp.WithErrorLog(nil)}, []string{"WithErrorLog(nil)"}},
		{[]fxhttp.Option{fxhttp.WithBaseContext(nil)}, []string{"WithBaseContext(nil)"}},
		{[]fxhttp.Option{fxhttp.WithConnContext(nil)}, []string{"WithConnContext(nil)"}},
		{[]fxhttp.Option{fxhttp.WithConnState(nil)}, []string{"WithConnState(nil)"}},
		{[]fxhttp.Option{fxhttp.WithLogger(nil)}, []string{"WithLogger(nil)"}},
		{[]fxhttp.Option{fxhttp.WithLogger((*fxhttp.ZapLogger)(nil))}, []string{"WithLogger(nil)"}},
		{[]fxhttp.Option{fxhttp.WithLogger(&fxhttp.ZapLogger{})}, []string{"WithLogger(*fxhttp.ZapLogger)", "ZapLogger is nil"}},
		{[]fxhttp.Option{fxhttp.WithHandler((*http.ServeMux)(nil))}, []string{"WithHandler(nil)"}},
		{[]fxhttp.Option{fxhttp.WithHandler(http.HandlerFunc(nil))}, []string{"WithHandler(nil)"}},
		{[]fxhttp.Option{fxhttp.WithListener((*net.TCPListener)(nil))}, []string{"WithListener(nil)"}},
		{[]fxhttp.Option{fxhttp.WithForceSignals(os.Interrupt, os.Kill)}, []string{"WithForceSignals", "cannot be caught"}},
		{[]fxhttp.Option{fxhttp.WithProtocols(onlyHTTP2)}, []string{"WithProtocols(HTTP2)", "needs TLS", "SetUnencryptedHTTP2"}},
		{[]fxhttp.Option{fxhttp.WithAddr("x"), fxhttp.WithErrorLog(nil), fxhttp.WithMaxHeaderBytes(-1), fxhttp.WithTLSFiles("no-cert.pem", "no-key.pem"), fxhttp.WithDrainTimeout(1)},
			[]string{"Addr", "WithErrorLog", "MaxHeaderBytes", "no-cert.pem", "DrainTimeout"}},
	} {
		t.Run(fmt.Sprint(tt.opts), func(t *testing.T) {
			app := fx.New(fx.NopLogger, provideHandler(text("")), fxhttp.Module(tt.opts...))
			wantError(t, app.Err(), append(tt.want, "settings of the server")...)
		})
	}
}

// ":8080" would become the name of a file if it overrode the path of a unix socket.
func TestOptionAddrOverUnix(t *testing.T) {
	unix := fx.Supply(fxhttp.Config{Network: "unix", Addr: "/run/app.sock"})
	app := fx.New(fx.NopLogger, provideHandler(text("")), unix, fxhttp.Module(fxhttp.WithAddr(":8080")))
	wantError(t, app.Err(), `WithAddr(":8080")`, "sets the network to unix")
	for _, opts := range [][]fxhttp.Option{
		{fxhttp.WithAddr("/run/other.sock")},
		{fxhttp.WithAddr("/run/other:1.sock")},
		{fxhttp.WithAddr(":8080"), fxhttp.WithNetwork("tcp")},
	} {
		if err := fx.New(fx.NopLogger, provideHandler(text("")), unix, fxhttp.Module(opts...)).Err(); err != nil {
			t.Errorf("%v: Err() = %v, want nil", opts, err)
		}
	}
}

// The mode of a unix socket reaches its file, from Config and from an option. It is
// overridden together with the network.
func TestOptionSocketMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files of sockets have no mode")
	}
	path := shortSocketPath(t)
	unix := fxhttp.Config{Network: "unix", Addr: path, SocketMode: "0640"}
	mode := fxhttp.WithConfig(fxhttp.Config{SocketMode: "0606"})
	for _, tt := range []struct {
		config fxhttp.Config
		opts   []fxhttp.Option
		want   os.FileMode // 0: the server has no file
	}{
		{unix, nil, 0o640},
		{unix, []fxhttp.Option{mode}, 0o606},
		{unix, []fxhttp.Option{fxhttp.WithNetwork("tcp"), fxhttp.WithAddr("127.0.0.1:0")}, 0},
		{unix, []fxhttp.Option{fxhttp.WithListener(listenPlain(t))}, 0},
	} {
		app := fx.New(fx.NopLogger, provideHandler(text("")), fx.Supply(tt.config),
			fxhttp.Module(append(tt.opts, fxhttp.WithLogger(new(recorder)))...))
		if err := app.Err(); err != nil {
			t.Errorf("%v: Err() = %v, want nil", tt.opts, err)
			continue
		}
		start(t, app)
		info, err := os.Lstat(path)
		if tt.want == 0 && err == nil || tt.want != 0 && (err != nil || info.Mode().Perm() != tt.want) {
			t.Errorf("%v: the file is %v, %v, want the mode %v", tt.opts, info, err, tt.want)
		}
		if err := stop(app, 5*time.Second); err != nil {
			t.Error(err)
		}
	}

	for _, tt := range []struct {
		config fxhttp.Config
		opts   []fxhttp.Option
		want   string
	}{
		{fxhttp.Config{}, []fxhttp.Option{mode}, "SocketMode 0606 needs Network unix"},
		{unix, []fxhttp.Option{mode, fxhttp.WithListener(listenPlain(t))}, "exclude each other"},
		{unix, []fxhttp.Option{mode, fxhttp.WithNetwork("tcp"), fxhttp.WithAddr(":0")}, "SocketMode 0606 needs Network unix"},
		{unix, []fxhttp.Option{fxhttp.WithConfig(fxhttp.Config{SocketMode: "660"})}, `SocketMode "660" is not a file mode`},
	} {
		app := fx.New(fx.NopLogger, provideHandler(text("")), fx.Supply(tt.config), fxhttp.Module(tt.opts...))
		wantError(t, app.Err(), tt.want)
	}
}

// An option may be given to several servers. None sees what another does to the option's
// value.
func TestOptionShared(t *testing.T) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	opts := []fxhttp.Option{
		fxhttp.WithTLS(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}),
		fxhttp.WithProtocols(protocols),
		fxhttp.WithHTTP2(&http.HTTP2Config{}),
	}
	var servers struct {
		fx.In

		A *http.Server `name:"a"`
		B *http.Server `name:"b"`
	}
	app := fx.New(fx.NopLogger,
		fxhttp.Module(append(opts, fxhttp.WithName("a"), fxhttp.WithHandler(text("")))...),
		fxhttp.Module(append(opts, fxhttp.WithName("b"), fxhttp.WithHandler(text("")))...),
		fx.Populate(&servers))
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	if a, b := servers.A, servers.B; a.TLSConfig == b.TLSConfig || a.Protocols == b.Protocols || a.HTTP2 == b.HTTP2 {
		t.Error("two servers share what one option gave them")
	}
}

func TestOptionDefaults(t *testing.T) {
	for _, tt := range []struct {
		opts                          []fxhttp.Option
		addr                          string
		read, readHeader, write, idle time.Duration
	}{
		{nil, fxhttp.DefaultAddr, 0, 10 * time.Second, 0, 2 * time.Minute},
		{[]fxhttp.Option{fxhttp.WithAddr("127.0.0.1:1"), fxhttp.WithAddr("")}, fxhttp.DefaultAddr, 0, 10 * time.Second, 0, 2 * time.Minute},
		{[]fxhttp.Option{fxhttp.WithReadTimeout(time.Second)}, fxhttp.DefaultAddr, time.Second, time.Second, 0, 2 * time.Minute},
		{[]fxhttp.Option{fxhttp.WithReadTimeout(time.Minute)}, fxhttp.DefaultAddr, time.Minute, 10 * time.Second, 0, 2 * time.Minute},
		{[]fxhttp.Option{fxhttp.WithReadHeaderTimeout(-1), fxhttp.WithIdleTimeout(-1)}, fxhttp.DefaultAddr, 0, -1, 0, -1},
	} {
		var srv *http.Server
		app := fx.New(fx.NopLogger, fxhttp.Module(tt.opts...), fx.Populate(&srv))
		if err := app.Err(); err != nil {
			t.Fatal(err)
		}
		if srv.Addr != tt.addr || srv.ReadTimeout != tt.read || srv.ReadHeaderTimeout != tt.readHeader || srv.WriteTimeout != tt.write || srv.IdleTimeout != tt.idle {
			t.Errorf("%v: the server is %+v, want %+v", tt.opts, srv, tt)
		}
	}
}

// What each option does, seen from outside.
func TestOptionEffect(t *testing.T) {
	hello := provideHandler(text("hello"))
	effects := map[string]func(t *testing.T){
		"WithName": func(t *testing.T) {
			var got struct {
				fx.In

				Server *fxshutdown.Server `name:"admin"`
			}
			app := fx.New(fx.NopLogger, module(fxhttp.WithName("admin")), fx.Populate(&got),
				fx.Provide(fx.Annotate(func() http.Handler { return text("admin") }, fx.ResultTags(`name:"admin"`))))
			start(t, app)
			if _, body := get(t, newClient(t), "http://"+got.Server.Addr().String()); body != "admin" {
				t.Errorf("body = %q, want that of the named handler", body)
			}
		},
		"WithStopLast": func(t *testing.T) {
			j := new(journal)
			log := func(name string) fxhttp.Option { return fxhttp.WithLogger(startedAndStopped{j, name}) }
			app := fx.New(fx.NopLogger, module(log("api"), fxhttp.WithHandler(text(""))),
				module(fxhttp.WithName("last"), log("last"), fxhttp.WithHandler(text("")), fxhttp.WithStopLast()))
			start(t, app)
			if err := stop(app, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			j.check(t, "last started", "api started", "api stopped", "last stopped")
		},
		"WithDefaultAddr": func(t *testing.T) {
			for _, tt := range []struct {
				opts []fx.Option
				want string
			}{
				{[]fx.Option{fxhttp.Module(fxhttp.WithDefaultAddr(":1"))}, ":1"},
				{[]fx.Option{fxhttp.Module(fxhttp.WithDefaultAddr(""))}, fxhttp.DefaultAddr},
				{[]fx.Option{fxhttp.Module(fxhttp.WithAddr(":2"), fxhttp.WithDefaultAddr(":1"))}, ":2"},
				{[]fx.Option{fxhttp.Module(fxhttp.WithDefaultAddr(":1")), fx.Supply(fxhttp.Config{Addr: ":3"})}, ":3"},
				{[]fx.Option{fxhttp.Module(fxhttp.WithDefaultAddr(":1")), fxhttp.ProvideOption(func() fxhttp.Option { return fxhttp.WithAddr(":4") })}, ":4"},
			} {
				var srv *http.Server
				if err := fx.New(fx.NopLogger, fx.Options(tt.opts...), hello, fx.Populate(&srv)).Err(); err != nil {
					t.Fatal(err)
				}
				if srv.Addr != tt.want {
					t.Errorf("Addr = %q, want %q", srv.Addr, tt.want)
				}
			}
		},
		"WithAddr": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithAddr("127.0.0.1:0")}, hello)
			host, _, _ := net.SplitHostPort(a.server.Addr().String())
			if host != "127.0.0.1" {
				t.Errorf("it listens on %s, want 127.0.0.1", host)
			}
		},
		"WithNetwork": func(t *testing.T) {
			path := shortSocketPath(t)
			startApp(t, []fxhttp.Option{fxhttp.WithNetwork("unix"), fxhttp.WithAddr(path)}, hello)
			client := newClient(t, func(tr *http.Transport) {
				tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "unix", path)
				}
			})
			if _, body := get(t, client, "http://app.sock/"); body != "hello" {
				t.Errorf("body = %q, want hello", body)
			}
		},
		"WithSocketMode": func(t *testing.T) {
			if runtime.GOOS == "windows" {
				t.Skip("Windows has no such modes")
			}
			path := shortSocketPath(t)
			startApp(t, []fxhttp.Option{fxhttp.WithNetwork("unix"), fxhttp.WithAddr(path), fxhttp.WithSocketMode(0o620)}, hello)
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o620 {
				t.Errorf("the socket's file: %v, %v, want mode 0620", info, err)
			}
		},
		"WithListener": func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			app := fx.New(fx.NopLogger, hello, fx.Supply(fxhttp.Config{Addr: "192.0.2.1:1", Network: "tcp6"}),
				fxhttp.Module(fxhttp.WithListener(ln), fxhttp.WithLogger(new(recorder))))
			start(t, app)
			if _, body := get(t, newClient(t), "http://"+ln.Addr().String()); body != "hello" {
				t.Errorf("body = %q, want hello", body)
			}
			if err := stop(app, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Close() = %v after the stop, want that it is closed already", err)
			}
		},
		"WithListenerOwned": func(t *testing.T) {
			asked := 0
			app := fx.New(fx.NopLogger, hello, fxhttp.Module(
				fxhttp.WithListener(listenPlain(t)), fxhttp.WithLogger(new(recorder)),
				fxhttp.WithListenerOwned(func() bool { asked++; return true })))
			start(t, app)
			if asked != 0 {
				t.Errorf("asked %d times before the stop", asked)
			}
			if err := stop(app, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if asked != 1 {
				t.Errorf("asked %d times at the stop, want once", asked)
			}
		},
		"WithListenerHandedOver": func(t *testing.T) {
			events := new(recorder)
			app := fx.New(fx.NopLogger, hello, fxhttp.Module(
				fxhttp.WithListener(listenPlain(t)), fxhttp.WithLogger(events),
				fxhttp.WithListenerHandedOver(func() bool { return true })))
			start(t, app)
			if err := stop(app, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if e := recorded[*fxshutdown.ListenerClosed](t, events); !e.Shared {
				t.Errorf("ListenerClosed = %+v, want that it was shared", e)
			}
		},
		"WithListenConfig": func(t *testing.T) {
			var networks []string
			lc := net.ListenConfig{Control: func(network, _ string, _ syscall.RawConn) error {
				networks = append(networks, network)
				return nil
			}}
			lc.SetMultipathTCP(true)
			a := startApp(t, []fxhttp.Option{fxhttp.WithListenConfig(lc)}, hello)
			if _, body := get(t, newClient(t), a.url("/")); body != "hello" {
				t.Errorf("body = %q, want hello", body)
			}
			if len(networks) != 1 || !strings.HasPrefix(networks[0], "tcp") {
				t.Errorf("Control was called for %v, want once for tcp", networks)
			}
		},
		"WithTLS": func(t *testing.T) {
			cert, roots := testcert.New()
			cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
			opt := fxhttp.WithTLS(cfg)
			cfg.Certificates = nil // the server has a copy
			a := startApp(t, []fxhttp.Option{fxhttp.WithTLSFiles("overridden", "overridden"), opt}, hello)
			wantTLS(t, a, roots)
		},
		"WithTLSFiles": func(t *testing.T) {
			cert, roots := testcert.New()
			certFile, keyFile, err := testcert.Write(t.TempDir(), cert)
			if err != nil {
				t.Fatal(err)
			}
			a := startApp(t, []fxhttp.Option{fxhttp.WithTLS(&tls.Config{Certificates: make([]tls.Certificate, 1)}), fxhttp.WithTLSFiles(certFile, keyFile)}, hello)
			wantTLS(t, a, roots)
		},
		"WithHandler": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithHandler(text("option"))}, hello)
			if _, body := get(t, newClient(t), a.url("/")); body != "option" {
				t.Errorf("body = %q, want option", body)
			}
		},
		"WithDefaultServeMux": func(t *testing.T) {
			defer func(mux *http.ServeMux) { http.DefaultServeMux = mux }(http.DefaultServeMux)
			http.DefaultServeMux = http.NewServeMux()
			http.HandleFunc("/in-the-default-mux", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "default") })
			a := startApp(t, []fxhttp.Option{fxhttp.WithDefaultServeMux()})
			if _, body := get(t, newClient(t), a.url("/in-the-default-mux")); body != "default" {
				t.Errorf("body = %q, want default", body)
			}
			b := startApp(t, []fxhttp.Option{fxhttp.WithDefaultServeMux()}, hello)
			if _, body := get(t, newClient(t), b.url("/in-the-default-mux")); body != "hello" {
				t.Errorf("body = %q, want that of the handler that is there", body)
			}
		},
		"WithConfig": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{
				fxhttp.WithMaxHeaderBytes(1), fxhttp.WithWriteTimeout(time.Minute),
				fxhttp.WithConfig(fxhttp.Config{MaxHeaderBytes: 12345, ReadTimeout: time.Hour}),
			}, hello)
			if a.srv.MaxHeaderBytes != 12345 || a.srv.ReadTimeout != time.Hour || a.srv.WriteTimeout != time.Minute {
				t.Errorf("the server is %+v, want what WithConfig says, and what it does not say as it was", a.srv)
			}
		},
		"WithIdleGrace": func(t *testing.T) {
			for _, tt := range []struct{ grace, atLeast, atMost time.Duration }{
				{600 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second},
				{-1, 0, 240 * time.Millisecond}, // less than the default
			} {
				a := startApp(t, []fxhttp.Option{fxhttp.WithIdleGrace(tt.grace)}, hello)
				get(t, newClient(t), a.url("/")) // leaves a connection that has just been busy
				if err := stop(a.App, 10*time.Second); err != nil {
					t.Fatal(err)
				}
				if took := a.server.Report().Duration; took < tt.atLeast || took > tt.atMost {
					t.Errorf("with a grace of %v the stop took %v, want %v to %v", tt.grace, took, tt.atLeast, tt.atMost)
				}
			}
		},
		"WithShutdownDelay": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithShutdownDelay(500 * time.Millisecond)}, hello)
			client := newClient(t)
			get(t, client, a.url("/"))
			wait := stopLater(a.App, 10*time.Second)
			ready := func() int {
				w := httptest.NewRecorder()
				a.server.ReadyHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
				return w.Code
			}
			for ready() == 200 {
				runtime.Gosched()
			}
			resp, _ := get(t, client, a.url("/"))
			select {
			case <-a.server.Draining():
				t.Error("draining already")
			default:
			}
			if resp.Close {
				t.Error("the response says close, want that nothing changes")
			}
			if err := wait(); err != nil {
				t.Fatal(err)
			}
			if took := a.server.Report().Duration; took < 500*time.Millisecond {
				t.Errorf("the stop took %v, want the delay at least", took)
			}
		},
		"WithRequestGrace": func(t *testing.T) {
			cause := causeOfCancel(t, fxhttp.WithRequestGrace(100*time.Millisecond), fxhttp.WithIdleGrace(50*time.Millisecond))
			if !errors.Is(cause, fxshutdown.ErrRequestGrace) {
				t.Errorf("cause = %v, want ErrRequestGrace", cause)
			}
		},
		"WithDrainTimeout": func(t *testing.T) {
			cause := causeOfCancel(t, fxhttp.WithDrainTimeout(400*time.Millisecond))
			if !errors.Is(cause, fxshutdown.ErrBudget) {
				t.Errorf("cause = %v, want ErrBudget", cause)
			}
		},
		"WithMaxConnectionAge": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithMaxConnectionAge(100 * time.Millisecond)}, hello)
			client := newClient(t)
			for resp, _ := get(t, client, a.url("/")); !resp.Close; resp, _ = get(t, client, a.url("/")) {
			}
			if st := a.server.Stats(); st.Accepted != 1 || st.Retired != 1 {
				t.Errorf("Stats() = %+v, want one connection, retired", st)
			}
		},
		"WithMaxConnectionAgeGrace": func(t *testing.T) {
			cause := make(chan error, 1)
			a := startApp(t, []fxhttp.Option{
				fxhttp.WithMaxConnectionAge(50 * time.Millisecond), fxhttp.WithMaxConnectionAgeGrace(50 * time.Millisecond),
			}, provideHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				cause <- context.Cause(r.Context())
			})))
			go newClient(t).Get(a.url("/"))
			if got := receive(t, "the end of the request", cause); !errors.Is(got, fxshutdown.ErrConnectionAgeGrace) {
				t.Errorf("cause = %v, want ErrConnectionAgeGrace", got)
			}
		},
		"WithMaxRequestsPerConnection": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithMaxRequestsPerConnection(2)}, hello)
			client := newClient(t)
			for _, want := range []bool{false, true, false} {
				if resp, _ := get(t, client, a.url("/")); resp.Close != want {
					t.Errorf("the response says close: %t, want %t", resp.Close, want)
				}
			}
		},
		"WithDrainSpread": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithDrainSpread(time.Second)}, hello)
			if err := stop(a.App, 10*time.Second); err != nil {
				t.Fatal(err)
			}
			if got := recorded[*fxshutdown.StopBegan](t, a.events).Spread; got != time.Second {
				t.Errorf("the stop spreads over %v, want 1s", got)
			}
		},
		"WithStopReserve": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithStopReserve(4 * time.Second)}, hello)
			if err := stop(a.App, 10*time.Second); err != nil {
				t.Fatal(err)
			}
			if got := recorded[*fxshutdown.StopBegan](t, a.events).Reserve; got != 4*time.Second {
				t.Errorf("the stop leaves %v, want 4s", got)
			}
		},
		"WithHijackGrace": func(t *testing.T) {
			hijacked := make(chan struct{})
			a := startApp(t, []fxhttp.Option{fxhttp.WithHijackGrace(100 * time.Millisecond)}, provideHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
					t.Error(err)
				}
				close(hijacked)
			})))
			conn := a.dial(t)
			fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: x\r\n\r\n")
			<-hijacked
			if err := stop(a.App, 10*time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			if took := a.server.Report().Duration; took > 5*time.Second {
				t.Errorf("the stop took %v, want little more than the grace", took)
			}
			if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read() = %v, want that the connection is closed", err)
			}
			if cut := a.server.Report().HijackedClosedRequests; len(cut) != 1 || cut[0].Path != "/socket" {
				t.Errorf("cut = %v, want the one", cut)
			}
		},
		"WithUnreadySignals": func(t *testing.T) {
			needSignals(t)
			a := startApp(t, []fxhttp.Option{fxhttp.WithUnreadySignals(os.Interrupt)}, hello)
			signalSelf(t, os.Interrupt)
			<-a.server.Unready()
			if got := readiness(a.server); got != http.StatusServiceUnavailable {
				t.Errorf("readiness = %d, want 503", got)
			}
			if _, body := get(t, newClient(t), a.url("/")); body != "hello" {
				t.Errorf("body = %q, want hello: no stop has begun", body)
			}
			if e := recorded[*fxshutdown.Unready](t, a.events); e.Reason != "signal interrupt" {
				t.Errorf("Unready.Reason = %q, want the signal", e.Reason)
			}
		},
		"WithForceSignals": func(t *testing.T) {
			needSignals(t)
			cause := causeOfCancelWhen(t, func(a *testApp) {
				<-a.server.Draining()
				signalSelf(t, os.Interrupt)
				time.Sleep(700 * time.Millisecond) // less is a repeat
				if r := a.server.Report(); r.Duration != 0 {
					t.Error("a signal at the beginning of the stop has forced it: it may be a repeat")
					return // the listener is closed
				}
				signalSelf(t, os.Interrupt)
			}, fxhttp.WithForceSignals())
			if !errors.Is(cause, fxshutdown.ErrForced) {
				t.Errorf("cause = %v, want ErrForced", cause)
			}
		},
		"WithReadTimeout": func(t *testing.T) {
			failed := make(chan error, 1)
			a := startApp(t, []fxhttp.Option{fxhttp.WithReadTimeout(50 * time.Millisecond)}, provideHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				failed <- err
			})))
			conn := a.dial(t)
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
			giveUp := time.AfterFunc(5*time.Second, func() { conn.Close() })
			defer giveUp.Stop()
			if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the handler read %v, want a timeout", err)
			}
		},
		"WithReadHeaderTimeout": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithReadHeaderTimeout(50 * time.Millisecond)}, hello)
			conn := a.dial(t)
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHo")
			wantClosed(t, conn)
		},
		"WithWriteTimeout": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithWriteTimeout(50 * time.Millisecond)}, provideHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(100 * time.Millisecond) // the option bounds this time
				io.WriteString(w, "too late")
			})))
			conn := a.dial(t)
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if got := wantClosed(t, conn); got != "" {
				t.Errorf("the server sent %q, want nothing", got)
			}
		},
		"WithIdleTimeout": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithIdleTimeout(50 * time.Millisecond)}, hello)
			conn := a.dial(t)
			fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			wantClosed(t, r)
		},
		"WithMaxHeaderBytes": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithMaxHeaderBytes(1000)}, hello)
			req, _ := http.NewRequest("GET", a.url("/"), nil)
			req.Header.Set("X-Long", strings.Repeat("x", 20000))
			resp, err := newClient(t).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("status = %d, want 431", resp.StatusCode)
			}
		},
		"WithMaxConnections": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithMaxConnections(1)}, hello)
			get(t, newClient(t), a.url("/")) // leaves an idle connection
			second := a.dial(t)
			fmt.Fprintf(second, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			if err := stop(a.App, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if got := wantClosed(t, second); !strings.Contains(got, "hello") {
				t.Errorf("the second client got %q, want hello", got)
			}
			if n := a.server.Report().Queued; n != 1 {
				t.Errorf("the stop found %d in the accept queue, want the second", n)
			}
		},
		"WithProtocols": func(t *testing.T) {
			protocols := new(http.Protocols)
			protocols.SetUnencryptedHTTP2(true)
			opt := fxhttp.WithProtocols(protocols)
			*protocols = http.Protocols{} // the server has a copy
			a := startApp(t, []fxhttp.Option{opt}, hello)
			client := newClient(t, func(tr *http.Transport) {
				tr.Protocols = new(http.Protocols)
				tr.Protocols.SetUnencryptedHTTP2(true)
			})
			if resp, _ := get(t, client, a.url("/")); resp.ProtoMajor != 2 {
				t.Errorf("the response is %s, want HTTP/2", resp.Proto)
			}
		},
		"WithHTTP2": func(t *testing.T) {
			cfg := &http.HTTP2Config{MaxConcurrentStreams: 7}
			opt := fxhttp.WithHTTP2(cfg)
			cfg.MaxConcurrentStreams = 8 // the server has a copy
			a := startApp(t, []fxhttp.Option{opt}, hello)
			if got := a.srv.HTTP2; got == nil || got.MaxConcurrentStreams != 7 {
				t.Errorf("HTTP2 = %+v, want 7 streams", got)
			}
		},
		"WithErrorLog": func(t *testing.T) {
			var buf lockedBuffer
			a := startApp(t, []fxhttp.Option{fxhttp.WithErrorLog(log.New(&buf, "", 0))}, provideHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				panic("in the handler")
			})))
			if resp, err := newClient(t).Get(a.url("/")); err == nil {
				resp.Body.Close()
			}
			if err := stop(a.App, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(buf.String(), "in the handler") {
				t.Errorf("log = %q, want the panic", buf.String())
			}
		},
		"WithBaseContext": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithBaseContext(func(net.Listener) context.Context {
				return context.WithValue(context.Background(), ctxKey{}, "base")
			})}, provideHandler(showContext))
			if _, body := get(t, newClient(t), a.url("/")); body != "base" {
				t.Errorf("the context holds %q, want base", body)
			}
		},
		"WithConnContext": func(t *testing.T) {
			a := startApp(t, []fxhttp.Option{fxhttp.WithConnContext(func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, ctxKey{}, c.RemoteAddr().Network())
			})}, provideHandler(showContext))
			if _, body := get(t, newClient(t), a.url("/")); body != "tcp" {
				t.Errorf("the context holds %q, want tcp", body)
			}
		},
		"WithConnState": func(t *testing.T) {
			var news atomic.Int32
			a := startApp(t, []fxhttp.Option{fxhttp.WithConnState(func(c net.Conn, s http.ConnState) {
				if s == http.StateNew {
					news.Add(1)
				}
			})}, hello)
			get(t, newClient(t), a.url("/"))
			if got := news.Load(); got != 1 {
				t.Errorf("the hook saw %d new connections, want 1", got)
			}
		},
		"WithLogger": func(t *testing.T) {
			events := new(recorder)
			a := startApp(t, []fxhttp.Option{fxhttp.WithLogger(events)}, hello)
			if err := stop(a.App, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			recorded[*fxshutdown.Started](t, events)
			recorded[*fxshutdown.Stopped](t, events)
		},
	}

	for _, name := range optionNames(t) {
		effect, ok := effects[name]
		if !ok {
			t.Errorf("%s has no test of its effect", name)
			continue
		}
		t.Run(name, effect)
	}
}

// listenPlain listens without Multipath TCP.
func listenPlain(t *testing.T) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func never() bool { return false }

type ctxKey struct{}

var showContext = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, r.Context().Value(ctxKey{}))
})

// causeOfCancel stops an app while a request runs that ends only with its context, and
// returns the cause of that context's end.
func causeOfCancel(t *testing.T, opts ...fxhttp.Option) error {
	return causeOfCancelWhen(t, func(*testApp) {}, opts...)
}

// causeOfCancelWhen is causeOfCancel, and calls meanwhile during the stop.
func causeOfCancelWhen(t *testing.T, meanwhile func(*testApp), opts ...fxhttp.Option) error {
	entered, cause := make(chan struct{}), make(chan error, 1)
	a := startApp(t, opts, provideHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		cause <- context.Cause(r.Context())
	})))
	fmt.Fprintf(a.dial(t), "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	wait := stopLater(a.App, 20*time.Second)
	meanwhile(a)
	wait() // the engine decides whether a request that was cut is an error
	if took := a.server.Report().Duration; took > 10*time.Second {
		t.Errorf("the stop took %v", took)
	}
	return <-cause
}

// wantClosed checks that the server closes the connection, and returns what the server
// sent before.
func wantClosed(t *testing.T, conn io.Reader) string {
	t.Helper()
	sent, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading the connection: %v, want that the server closes it", err)
	}
	return string(sent)
}

// shortSocketPath returns a path that fits into a socket's address. The path of a test's
// own directory may be too long.
func shortSocketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "fxhttp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func wantTLS(t *testing.T, a *testApp, roots *x509.CertPool) {
	t.Helper()
	client := newClient(t, func(tr *http.Transport) { tr.TLSClientConfig = &tls.Config{RootCAs: roots} })
	resp, body := get(t, client, "https://"+a.server.Addr().String())
	if resp.TLS == nil || body != "hello" {
		t.Errorf("TLS = %v, body = %q, want hello over TLS", resp.TLS, body)
	}
	if !recorded[*fxshutdown.Started](t, a.events).TLS {
		t.Error("the event Started says no TLS")
	}
}

// pipeListener has no socket. No test serves it.
type pipeListener struct{}

func (*pipeListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (*pipeListener) Close() error              { return nil }
func (*pipeListener) Addr() net.Addr            { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
