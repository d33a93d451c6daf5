package fxhttpotel_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	loopback = "127.0.0.1:0"
	patience = 20 * time.Second // with what should happen at once
)

type discard struct{}

func (discard) LogEvent(fxshutdown.Event) {}

// slow is a Logger for which a stop waits when it is over.
type slow struct{}

func (slow) LogEvent(e fxshutdown.Event) {
	if _, ok := e.(*fxshutdown.Stopped); ok {
		time.Sleep(100 * time.Millisecond)
	}
}

// servers are those of an app, by their names.
type servers map[string]fxhttp.NamedServer

func (s servers) find() fx.Option {
	return fx.Options(fx.NopLogger,
		fx.Provide(func() fxshutdown.Logger { return discard{} }),
		fx.Invoke(fx.Annotate(func(all []fxhttp.NamedServer) {
			for _, one := range all {
				s[one.Name] = one
			}
		}, fx.ParamTags(`group:"fxhttp.servers"`))))
}

// api is a server of the app on a loopback port.
func api(h http.Handler, opts ...fxhttp.Option) fx.Option {
	return fxhttp.Module(append([]fxhttp.Option{fxhttp.WithAddr(loopback), fxhttp.WithHandler(h), fxhttp.WithIdleGrace(20 * time.Millisecond)}, opts...)...)
}

func start(t *testing.T, app *fx.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := app.Start(ctx); err != nil {
		t.Fatalf("Start() = %v", err)
	}
}

func stop(app *fx.App, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return app.Stop(ctx)
}

// provide provides a MeterProvider with a reader, and shuts it down with the app.
func provide(reader sdk.Reader) fx.Option {
	return fx.Provide(func(lc fx.Lifecycle) metric.MeterProvider {
		p := sdk.NewMeterProvider(sdk.WithReader(reader))
		lc.Append(fx.StopHook(p.Shutdown))
		return p
	})
}

// figures are what a collection found: the value of each data point, by name and
// attributes, less the server's name.
type figures map[string]float64

// of returns those of one server.
func of(rm *metricdata.ResourceMetrics, server string) figures {
	f := make(figures)
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				addPoints(f, m.Name, server, data.DataPoints)
			case metricdata.Gauge[int64]:
				addPoints(f, m.Name, server, data.DataPoints)
			case metricdata.Gauge[float64]:
				addPoints(f, m.Name, server, data.DataPoints)
			default:
				panic(fmt.Sprintf("%s is a %T", m.Name, data))
			}
		}
	}
	return f
}

func addPoints[N int64 | float64](f figures, name, server string, points []metricdata.DataPoint[N]) {
	for _, p := range points {
		if v, _ := p.Attributes.Value("fxhttp.server.name"); v.AsString() != server {
			continue
		}
		var labels []string
		for _, kv := range p.Attributes.ToSlice() {
			if kv.Key != "fxhttp.server.name" {
				labels = append(labels, shortKey(kv.Key)+"="+kv.Value.AsString())
			}
		}
		if len(labels) > 0 {
			name := name + " " + strings.Join(labels, " ")
			f[name] = float64(p.Value)
		} else {
			f[name] = float64(p.Value)
		}
	}
}

// shortKey is the last part of an attribute's name.
func shortKey(k attribute.Key) string { return string(k[strings.LastIndex(string(k), ".")+1:]) }

func collect(t *testing.T, r sdk.Reader) *metricdata.ResourceMetrics {
	t.Helper()
	rm := new(metricdata.ResourceMetrics)
	if err := r.Collect(context.Background(), rm); err != nil {
		t.Fatal(err)
	}
	return rm
}

func (f figures) want(t *testing.T, when string, want map[string]float64) {
	t.Helper()
	for name, want := range want {
		if got, ok := f["fxhttp.server."+name]; !ok || got != want {
			t.Errorf("%s: %s = %v (there: %v), want %v", when, name, got, ok, want)
		}
	}
}

func (f figures) wantNone(t *testing.T, when string, names ...string) {
	t.Helper()
	for name := range f {
		for _, none := range names {
			if name == "fxhttp.server."+none || strings.HasPrefix(name, "fxhttp.server."+none+" ") {
				t.Errorf("%s: there is %s", when, name)
			}
		}
	}
}

// wantReport compares each figure of a stop that is over, and the account behind it.
func wantReport(t *testing.T, f figures, r fxshutdown.Report, st fxshutdown.Stats) {
	t.Helper()
	want := map[string]float64{
		"ready":                           0,
		"open_connections state=new":      float64(st.New),
		"open_connections state=active":   float64(st.Active),
		"open_connections state=idle":     float64(st.Idle),
		"open_connections state=hijacked": float64(st.Hijacked),
		"accepted_connections":            float64(st.Accepted),
		"closed_connections reason=idle":  float64(st.IdleClosed),
		"closed_connections reason=cut":   float64(st.Cut),
		"undecided_requests":              float64(r.Undecided),
		"ended_requests result=answered":  float64(r.Served),
		"ended_requests result=failed":    float64(st.Failed),
		"ended_requests result=ended":     float64(st.Ended),
		"ended_requests result=hijacked":  float64(st.Hijacks),
		"ended_requests result=aborted":   float64(st.Aborted),

		"stop.duration":                       r.Duration.Seconds(),
		"stop.ended_requests result=answered": float64(r.Answered),
		"stop.ended_requests result=failed":   float64(r.Failed),
		"stop.ended_requests result=ended":    float64(r.Ended),
		"stop.ended_requests result=hijacked": float64(r.Hijacks),
		"stop.ended_requests result=aborted":  float64(r.Aborted),
		"stop.unbegun_requests":               float64(r.Unbegun),
		"stop.cancelled_requests":             float64(r.Cancelled),
		"stop.waited_for_requests":            float64(r.WaitedFor),
		"stop.queued_connections":             float64(r.Queued),
		"stop.unaccepted_connections":         float64(r.Unaccepted),
		"stop.idle_closed_connections":        float64(r.IdleClosed),
		"stop.hijacked_closed_connections":    float64(r.HijackedClosed),
		"stop.unfinished_handshakes":          float64(r.Handshakes),
	}
	for _, p := range r.Phases {
		want["stop.phase.duration name="+string(p.Name)] = p.Duration.Seconds()
	}
	for _, name := range []string{"delay", "announce", "listener", "drain", "force"} {
		want["stop.phase.status name="+name] = 0
	}
	f.want(t, "after", want)
}

// exporter keeps what it was given last that has figures of ours.
type exporter struct {
	mu   sync.Mutex // guards what follows
	last map[string]figures
	hang bool // until the context of an export ends
}

func (*exporter) Temporality(k sdk.InstrumentKind) metricdata.Temporality {
	return sdk.DefaultTemporalitySelector(k)
}

func (*exporter) Aggregation(k sdk.InstrumentKind) sdk.Aggregation {
	return sdk.DefaultAggregationSelector(k)
}

func (e *exporter) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if e.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, server := range []string{"http", "jobs", "admin"} {
		if f := of(rm, server); len(f) > 0 {
			if e.last == nil {
				e.last = make(map[string]figures)
			}
			e.last[server] = f
		}
	}
	return nil
}

func (*exporter) ForceFlush(context.Context) error { return nil }
func (*exporter) Shutdown(context.Context) error   { return nil }

func (e *exporter) of(server string) figures {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last[server]
}

// periodic is a reader that exports when it is told to.
func periodic(e *exporter) sdk.Reader { return sdk.NewPeriodicReader(e, sdk.WithInterval(time.Hour)) }

// gate is a handler that holds requests of /held until it is opened, and hijacks the
// connections of /hijacked.
type gate struct{ begun, opened chan struct{} }

func newGate() gate { return gate{make(chan struct{}, 100), make(chan struct{})} }

func (g gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/held":
		g.begun <- struct{}{}
		<-g.opened
	case "/hijacked":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		g.begun <- struct{}{}
		io.Copy(io.Discard, conn)
		conn.Close()
	}
}

// send begins a request on a connection of its own, and waits until its handler runs.
func (g gate) send(t *testing.T, s fxhttp.NamedServer, path string) net.Conn {
	t.Helper()
	conn := dial(t, s)
	io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-g.begun:
	case <-time.After(patience):
		t.Fatal("the request has not begun")
	}
	return conn
}

func dial(t *testing.T, s fxhttp.NamedServer) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
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
