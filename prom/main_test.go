package fxhttpprom_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	fxhttpadmin "github.com/fxshutdown/fxhttp/admin"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	fxhttpprom "github.com/fxshutdown/fxhttp/prom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	loopback = "127.0.0.1:0"
	patience = 20 * time.Second // with what should happen at once
)

// testApp is a running app whose admin server shows the metrics.
type testApp struct {
	*fx.App
	servers map[string]fxhttp.NamedServer
	stopped chan error // receives what begin's Stop returned
}

// startApp starts an app with these options, an admin server and a registry of its own.
// Its cleanup stops it if the test did not.
func startApp(t *testing.T, opts ...fx.Option) *testApp {
	t.Helper()
	a := &testApp{servers: make(map[string]fxhttp.NamedServer)}
	a.App = fx.New(fx.NopLogger,
		fx.Provide(prometheus.NewRegistry, func() fxshutdown.Logger { return discard{} }),
		fxhttpprom.Module(), fxhttpprom.AdminRoute(),
		fxhttpadmin.Module(fxhttpadmin.WithAddr(loopback)),
		fx.Options(opts...),
		fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) {
			for _, s := range all {
				a.servers[s.Name] = s
			}
		}, fx.ParamTags(`group:"fxhttp.servers"`))))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.Start(ctx); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() {
		if a.stopped == nil {
			a.beginStop(patience)
			a.awaitStop(t)
		}
	})
	return a
}

type discard struct{}

func (discard) LogEvent(fxshutdown.Event) {}

func (a *testApp) beginStop(timeout time.Duration) {
	a.stopped = make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		a.stopped <- a.Stop(ctx)
	}()
}

func (a *testApp) awaitStop(t *testing.T) error {
	t.Helper()
	select {
	case err := <-a.stopped:
		return err
	case <-time.After(patience):
		t.Fatal("the app does not stop")
		return nil
	}
}

// endDelay ends the delay of the admin server, in which scrapes see how the others have
// stopped: it does not fit the time of another Stop that joins.
func (a *testApp) endDelay() {
	ctx, cancel := context.WithTimeout(context.Background(), patience/4)
	defer cancel()
	a.servers["admin"].Server.Stop(ctx)
}

// addr of a server.
func (a *testApp) addr(name string) string { return a.servers[name].Server.Addr().String() }

// api is a server of the app on a loopback port.
func api(h http.Handler, opts ...fxhttp.Option) fx.Option {
	return fxhttp.Module(append([]fxhttp.Option{fxhttp.WithAddr(loopback), fxhttp.WithHandler(h), fxhttp.WithIdleGrace(20 * time.Millisecond)}, opts...)...)
}

// admin sets options of the admin server.
func admin(o ...fxhttp.Option) fx.Option {
	var all []fx.Option
	for _, o := range o {
		all = append(all, fxhttp.ProvideNamedOption("admin", func() fxhttp.Option { return o }))
	}
	return fx.Options(all...)
}

// scrape is what a scrape saw: the value of each series, by its line.
type scrape map[string]float64

// try scrapes once, on a connection of its own.
func try(addr string) (scrape, string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return parse(string(body)), string(body), err
}

func parse(text string) scrape {
	s := make(scrape)
	for line := range strings.Lines(text) {
		if i := strings.LastIndex(strings.TrimSpace(line), " "); i > 0 && line[0] != '#' {
			s[line[:i]], _ = strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		}
	}
	return s
}

func (a *testApp) scrape(t *testing.T) (scrape, string) {
	t.Helper()
	s, text, err := try(a.addr("admin"))
	if err != nil {
		t.Fatalf("scrape: %v", err)
	}
	return s, text
}

// want compares series, less their server, with what they shall be.
func (s scrape) want(t *testing.T, when, server string, want map[string]int) {
	t.Helper()
	for series, want := range want {
		key := labelled(series, server)
		if got, ok := s[key]; !ok || got != float64(want) {
			t.Errorf("%s: %s = %v (there: %v), want %d", when, key, got, ok, want)
		}
	}
}

// wantNone finds series that shall not be there yet.
func (s scrape) wantNone(t *testing.T, when, server string, prefixes ...string) {
	t.Helper()
	for series := range s {
		for _, p := range prefixes {
			if strings.HasPrefix(series, p+"{") && strings.Contains(series, `server="`+server+`"`) {
				t.Errorf("%s: there is %s", when, series)
			}
		}
	}
}

// labelled puts the label server where client_golang writes it: labels are sorted.
func labelled(series, server string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	all := append(strings.FieldsFunc(labels, func(r rune) bool { return r == ',' }), `server="`+server+`"`)
	slices.Sort(all)
	return name + "{" + strings.Join(all, ",") + "}"
}

// gate is a handler that holds requests of /held until it is opened, or they are
// cancelled; hijacks the connections of /hijacked; panics at /panic.
type gate struct{ begun, opened chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 100), make(chan struct{})} }

func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/held":
		g.begun <- struct{}{}
		select {
		case <-g.opened:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		}
	case "/stuck":
		g.begun <- struct{}{}
		<-g.opened
	case "/hijacked":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		g.begun <- struct{}{}
		io.Copy(io.Discard, conn)
		conn.Close()
	case "/panic":
		panic(http.ErrAbortHandler)
	}
}

func (g gate) awaitBegun(t *testing.T) {
	t.Helper()
	select {
	case <-g.begun:
	case <-time.After(patience):
		t.Fatal("the request has not begun")
	}
}

// client is a connection to a server.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

// send begins a request.
func (c *client) send(path string) {
	io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
}

// get sends a request and reads its response, if there is one.
func (c *client) get(path string) error {
	c.send(path)
	return c.await()
}

func (c *client) await() error {
	c.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// eventually waits for a condition that nothing tells of.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
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
