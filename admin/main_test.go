package fxhttpadmin_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testApp is a running app with an admin server, and a client for it.
type testApp struct {
	*fx.App
	admin   *fxshutdown.Server
	servers map[string]*fxshutdown.Server // by their names in Fx
	client  *http.Client
}

const loopback = "127.0.0.1:0"

// startApp starts an app with an admin server that has these options. Its cleanup stops
// the app if the test has not.
func startApp(t *testing.T, opts []fxhttpadmin.Option, rest ...fx.Option) *testApp {
	t.Helper()
	a := newApp(t, opts, rest...)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := a.Start(ctx); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() { a.stop(10 * time.Second) })
	return a
}

func newApp(t *testing.T, opts []fxhttpadmin.Option, rest ...fx.Option) *testApp {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	a := &testApp{servers: make(map[string]*fxshutdown.Server), client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	a.App = fx.New(fx.NopLogger,
		fxhttpadmin.Module(append([]fxhttpadmin.Option{fxhttpadmin.WithAddr(loopback)}, opts...)...),
		fx.Options(rest...),
		fx.Provide(func() fxshutdown.Logger { return discard{} }),
		fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) {
			for _, s := range all {
				a.servers[s.Name] = s.Server
			}
			a.admin = a.servers["admin"]
		}, fx.ParamTags(`group:"fxhttp.servers"`))))
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
	return a
}

type discard struct{}

func (discard) LogEvent(fxshutdown.Event) {}

func (a *testApp) stop(timeout time.Duration) error {
	a.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return a.Stop(ctx)
}

// answer holds the parts of a response that tests look at.
type answer struct {
	status int
	body   string
	header http.Header
}

// do sends a request to the admin server.
func (a *testApp) do(t *testing.T, method, path string, change ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.admin.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(b), resp.Header}
}

func (a *testApp) get(t *testing.T, path string) answer {
	t.Helper()
	return a.do(t, http.MethodGet, path)
}

// api adds a server to the app, on a loopback port, that serves h.
func api(h http.Handler, opts ...fxhttp.Option) fx.Option {
	return fxhttp.Module(append([]fxhttp.Option{fxhttp.WithAddr(loopback), fxhttp.WithHandler(h), fxhttp.WithIdleGrace(-1)}, opts...)...)
}

// gate is a handler that announces each request that has begun, and holds it until the
// gate is opened.
type gate struct{ begun, opened chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 100), make(chan struct{})} }

func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.begun <- struct{}{}
	select {
	case <-g.opened:
	case <-r.Context().Done():
	}
}

// hold begins a request to the server in the background. The function that it returns
// waits for the answer.
func (g gate) hold(t *testing.T, s *fxshutdown.Server, path string) (wait func()) {
	t.Helper()
	answered := make(chan error, 1)
	transport := &http.Transport{DisableKeepAlives: true}
	go func() {
		resp, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get("http://" + s.Addr().String() + path)
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	select {
	case <-g.begun:
	case <-time.After(10 * time.Second):
		t.Fatal("the request has not begun")
	}
	return func() {
		if err := <-answered; err != nil {
			t.Errorf("the request ended with %v", err)
		}
	}
}

// eventually polls for a condition that no event announces.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}
