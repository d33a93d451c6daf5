package browsertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

const loopback = "127.0.0.1:0"

// freeAddr returns an address that a second app can use after the first. Its port is
// outside the range from which systems give ports to clients.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// An app is a running app that has an admin server with the page, and other servers.
type app struct {
	*fx.App
	servers map[string]*fxshutdown.Server // by name
}

// startApp starts an app whose admin server listens on addr.
func startApp(t *testing.T, addr string, rest ...fx.Option) *app {
	t.Helper()
	a := &app{servers: make(map[string]*fxshutdown.Server)}
	a.App = fx.New(fx.NopLogger,
		fxhttpadmin.Module(fxhttpadmin.WithAddr(addr), fxhttpadmin.WithPage()),
		fx.Options(rest...),
		fx.Provide(func() fxshutdown.Logger { return discard{} }),
		fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) {
			for _, s := range all {
				a.servers[s.Name] = s.Server
			}
		}, fx.ParamTags(`group:"fxhttp.servers"`))))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.stop(patience) })
	return a
}

type discard struct{}

func (discard) LogEvent(fxshutdown.Event) {}

func (a *app) admin() string { return a.servers["admin"].Addr().String() }

func (a *app) stop(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return a.Stop(ctx)
}

// stopServer stops only the unnamed server, in the background. The function that it
// returns waits for the end.
func (a *app) stopServer(timeout time.Duration) (wait func() error) {
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		ended <- a.servers[""].Stop(ctx)
	}()
	return func() error { return <-ended }
}

// server adds a server to the app, on a port of its own.
func server(h http.Handler, opts ...fxhttp.Option) fx.Option {
	return fxhttp.Module(append([]fxhttp.Option{fxhttp.WithAddr(loopback), fxhttp.WithHandler(h), fxhttp.WithIdleGrace(-1)}, opts...)...)
}

// A gate is a handler that holds its requests until the gate is opened or they are
// cancelled.
type gate chan struct{}

func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-g:
	case <-r.Context().Done():
	}
}

// request sends a request in the background, and returns when its handler runs. The
// function that it returns waits for the answer, if there is one.
func request(t *testing.T, s *fxshutdown.Server, path string) (wait func()) {
	t.Helper()
	before := s.Stats().InFlight
	ended := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	go func() {
		defer close(ended)
		if resp, err := client.Get("http://" + s.Addr().String() + path); err == nil {
			resp.Body.Close()
		}
	}()
	for end := time.Now().Add(patience); s.Stats().InFlight == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("GET %s does not run", path)
		}
	}
	return func() { <-ended }
}
