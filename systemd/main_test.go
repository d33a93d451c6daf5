package fxhttpsystemd_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what happens at once on a machine that has time.
const patience = 20 * time.Second

// manager is a service manager's notification socket.
type manager struct {
	path string
	conn *net.UnixConn
}

// newManager listens, and sets NOTIFY_SOCKET.
func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{path: filepath.Join(dir, "s")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.conn.Close() })
	t.Setenv("NOTIFY_SOCKET", m.path)
	return m
}

// mark sends a message of the test's own, which those of the app are before or behind.
func (m *manager) mark(text string) {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.path, Net: "unixgram"})
	if err != nil {
		return // the test is over
	}
	defer c.Close()
	c.Write([]byte(text))
}

// next returns the next message as its lines.
func (m *manager) next(t *testing.T) []string {
	t.Helper()
	m.conn.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	if err != nil {
		t.Fatalf("no message: %v", err)
	}
	return strings.Split(string(b[:n]), "\n")
}

// want wants the next message to begin with a line, and returns its other lines.
func (m *manager) want(t *testing.T, first string) []string {
	t.Helper()
	got := m.next(t)
	if got[0] != first {
		t.Fatalf("message %q, want one that begins with %q", got, first)
	}
	return got[1:]
}

// until reads messages until one begins with last, and returns those before it.
func (m *manager) until(t *testing.T, last string) (before []string) {
	t.Helper()
	for {
		got := m.next(t)
		if strings.HasPrefix(got[0], last) {
			return before
		}
		before = append(before, got[0])
	}
}

// testApp is an app with a server on a loopback port.
type testApp struct {
	*fx.App
	server *fxshutdown.Server
}

func newApp(t *testing.T, options ...fx.Option) *testApp {
	t.Helper()
	a := &testApp{}
	a.App = fx.New(fx.NopLogger,
		fx.Provide(func() fxshutdown.Logger { return discard{} }),
		fx.Options(options...),
		fx.Populate(&a.server))
	return a
}

type discard struct{}

func (discard) LogEvent(fxshutdown.Event) {}

// serve is a server on a loopback port.
func serve(h http.Handler, opts ...fxhttp.Option) fx.Option {
	return fxhttp.Module(append([]fxhttp.Option{fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(h), fxhttp.WithIdleGrace(-1)}, opts...)...)
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("hello")) })

// mustStart starts the app, which the end of the test stops if nobody else did.
func (a *testApp) mustStart(t *testing.T) {
	t.Helper()
	if err := a.start(); err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() { a.stop(patience) })
}

func (a *testApp) start() error {
	if err := a.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return a.Start(ctx)
}

func (a *testApp) stop(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return a.Stop(ctx)
}

// wantError wants an error that says each of the texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that says %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
}
