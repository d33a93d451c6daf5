package fxhttp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

var (
	stressCycles = flag.Int("cycles", 20, "how many cycles TestStressCycles runs; a release runs 1000")
	stressSeed   = flag.Uint64("seed", 0, "the seed of TestStressCycles; zero makes one")
)

const (
	// overrun is how much longer than Fx's stop timeout a stop may take.
	overrun = 50 * time.Millisecond

	// stressAtOnce is how many cycles run at the same time. Most of a cycle is waiting.
	stressAtOnce = 4
)

// TestStressCycles starts, loads, stops and forces apps at random. However they end,
// nothing is left behind, no stop outlives its budget, and the hooks after the server's
// run. To repeat a run, pass its seed with -seed.
func TestStressCycles(t *testing.T) {
	seed := *stressSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	cert, roots := testcert.New()
	stalls := watchStalls(t)
	goroutines, fds := goleak.IgnoreCurrent(), countFDs(t)
	var total stressTotal
	var next atomic.Int64
	var workers sync.WaitGroup
	for range stressAtOnce {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(*stressCycles); i = next.Add(1) - 1 {
				c := &stressCycle{
					t:       t,
					stalls:  stalls,
					name:    fmt.Sprintf("cycle %d of -seed %d", i, seed),
					random:  rand.New(rand.NewPCG(seed, uint64(i))),
					release: make(chan struct{}),
					over:    make(chan struct{}),
				}
				c.run(cert, roots, &total)
			}
		})
	}
	workers.Wait()
	if err := goleak.Find(goroutines); err != nil {
		t.Errorf("after the last cycle: %v", err)
	}
	left := 0
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if left = countFDs(t) - fds; left <= 0 {
			break
		}
	}
	if left > 0 {
		t.Errorf("%d descriptors are left open", left)
	}
	t.Logf("seed %d: %d cycles, %v; descriptors left: %d", seed, *stressCycles, &total, max(left, 0))
	if total.overran > 0 {
		t.Errorf("%d stops took more than their budget and %v", total.overran, overrun)
	}
	if missed := total.stops - total.hooks - total.stalled; missed > 0 {
		t.Errorf("the hook after the server's was skipped in %d of %d cycles", missed, total.stops)
	}
}

// stalls records how long the machine did not let this process run. Bounds of a stop do
// not count that time.
type stalls struct {
	mu  sync.Mutex // guards all
	all []stall
}

// A stall is the time by which a sleep took longer than requested.
type stall struct {
	end    time.Time
	excess time.Duration
}

// watchStalls records stalls until the end of the test.
func watchStalls(t *testing.T) *stalls {
	s := &stalls{}
	over, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(over); <-ended })
	go func() {
		defer close(ended)
		const nap = time.Millisecond
		for {
			began := time.Now()
			select {
			case <-over:
				return
			case <-time.After(nap):
			}
			if excess := time.Since(began) - nap; excess > 5*time.Millisecond {
				s.mu.Lock()
				s.all = append(s.all, stall{time.Now(), excess})
				s.mu.Unlock()
			}
		}
	}()
	return s
}

// since returns the sum of the stalls that ended after began.
func (s *stalls) since(began time.Time) (sum time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.all) - 1; i >= 0 && s.all[i].end.After(began); i-- {
		sum += s.all[i].excess
	}
	return sum
}

// stressTotal is the sum of all cycles.
type stressTotal struct {
	mu                    sync.Mutex // guards the fields below
	stops, hooks, overran int
	longest               time.Duration // stop
	worst                 time.Duration // overrun of a budget; negative if every stop left time
	least                 time.Duration // time left to the hook after the server's
	forced, failed        int
	stalled               int           // cycles whose hook was skipped because the machine stalled
	longestStall          time.Duration // sum of the stalls of a cycle
	answered              int64
	aborted, cut          int
}

func (s *stressTotal) String() string {
	return fmt.Sprintf("%d stops (%d forced, %d with an error), longest %v, %d over their budget by more than %v, worst against the budget %+v; "+
		"later hooks ran %d, least time left to them %v; skipped after a stall of the machine %d, most stalled in a stop %v; "+
		"requests answered %d, aborted %d, hijacked connections cut %d",
		s.stops, s.forced, s.failed, s.longest.Round(time.Millisecond), s.overran, overrun, s.worst.Round(time.Millisecond),
		s.hooks, s.least.Round(time.Millisecond), s.stalled, s.longestStall.Round(time.Millisecond), s.answered, s.aborted, s.cut)
}

// A stressCycle is the life of one app and its clients.
type stressCycle struct {
	t      *testing.T
	name   string
	stalls *stalls
	random *rand.Rand
	app    *fx.App
	srv    *http.Server
	server *fxshutdown.Server
	tls    *tls.Config // of clients; nil means plain text

	protocols *http.Protocols // of clients
	hookRan   time.Time       // when the hook after the server's ran
	release   chan struct{}   // closed to let stuck handlers return
	over      chan struct{}   // closed to let clients end
	clients   sync.WaitGroup
	answered  atomic.Int64
}

func (c *stressCycle) run(cert tls.Certificate, roots *x509.CertPool, total *stressTotal) {
	timeout := 300*time.Millisecond + time.Duration(c.random.Int64N(int64(1700*time.Millisecond)))
	c.build(timeout, cert, roots)
	if err := c.app.Start(context.Background()); err != nil {
		c.t.Errorf("%s: Start() = %v", c.name, err)
		return
	}
	for range 1 + c.random.IntN(12) {
		c.load()
	}
	time.Sleep(time.Duration(c.random.Int64N(int64(30 * time.Millisecond))))

	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	began := time.Now()
	var others sync.WaitGroup
	forced := c.interfere(ctx, timeout, &others)
	err := c.app.Stop(ctx)
	took, stalled := time.Since(began), c.stalls.since(began)
	others.Wait()
	cancel()

	close(c.release)
	<-c.server.Done()
	close(c.over)
	c.clients.Wait()
	excused := c.hookRan.IsZero() && stalled > timeout/10
	c.check(err, excused)
	total.add(c, forced, excused, err, timeout, took, stalled, c.hookRan.Sub(began))
}

// add adds a cycle to the total.
func (s *stressTotal) add(c *stressCycle, forced, excused bool, err error, timeout, took, stalled, hookAt time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := c.server.Report()
	if s.stops == 0 {
		s.worst, s.least = took-timeout, timeout
	}
	s.stops++
	s.answered += c.answered.Load()
	s.aborted += r.Aborted
	s.cut += r.HijackedClosed
	if err != nil {
		s.failed++
	}
	if forced {
		s.forced++
	}
	s.longest = max(s.longest, took)
	s.worst = max(s.worst, took-timeout)
	s.longestStall = max(s.longestStall, stalled)
	if took > timeout+overrun+stalled {
		s.overran++
	}
	if excused {
		s.stalled++
	}
	if !c.hookRan.IsZero() {
		s.hooks++
		s.least = min(s.least, timeout-hookAt)
	}
}

// build makes the app with random options.
func (c *stressCycle) build(timeout time.Duration, cert tls.Certificate, roots *x509.CertPool) {
	pick := func(ds ...time.Duration) time.Duration { return ds[c.random.IntN(len(ds))] }
	idle := pick(-1, time.Millisecond, 10*time.Millisecond, 50*time.Millisecond)
	opts := []fxhttp.Option{
		fxhttp.WithAddr("127.0.0.1:0"),
		fxhttp.WithIdleGrace(idle),
		fxhttp.WithRequestGrace(pick(0, 0, 60*time.Millisecond, 100*time.Millisecond)),
		fxhttp.WithHijackGrace(pick(0, 0, 30*time.Millisecond)),
		fxhttp.WithShutdownDelay(pick(0, 0, 0, 20*time.Millisecond)),
		fxhttp.WithLogger(new(recorder)),
		fxhttp.WithErrorLog(log.New(io.Discard, "", 0)),
	}
	c.protocols = new(http.Protocols)
	switch c.random.IntN(4) {
	case 0:
		opts = append(opts, fxhttp.WithTLS(&tls.Config{Certificates: []tls.Certificate{cert}}))
		c.tls = &tls.Config{RootCAs: roots, ServerName: "localhost"}
		c.protocols.SetHTTP1(true)
		c.protocols.SetHTTP2(c.random.IntN(2) == 0)
	case 1:
		p := new(http.Protocols)
		p.SetHTTP1(true)
		p.SetUnencryptedHTTP2(true)
		opts = append(opts, fxhttp.WithProtocols(p))
		c.protocols.SetUnencryptedHTTP2(true)
	default:
		c.protocols.SetHTTP1(true)
	}
	c.app = fx.New(fx.NopLogger, fx.StopTimeout(timeout),
		fxhttp.Module(opts...),
		fx.Provide(
			func(lc fx.Lifecycle) *database {
				lc.Append(fx.Hook{OnStop: func(context.Context) error { c.hookRan = time.Now(); return nil }})
				return &database{}
			},
			func(*database) http.Handler { return c },
		),
		fx.Populate(&c.srv, &c.server))
}

// ServeHTTP is the app's handler.
func (c *stressCycle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/slow":
		time.Sleep(time.Duration(rand.Int64N(int64(80 * time.Millisecond))))
	case "/wait":
		<-r.Context().Done()
	case "/stuck":
		<-c.release
	case "/stream":
		http.NewResponseController(w).Flush()
		select {
		case <-fxshutdown.Draining(r.Context()):
		case <-r.Context().Done():
		}
	case "/panic":
		panic(http.ErrAbortHandler)
	case "/hijack-polite", "/hijack-deaf", "/hijack-leaked":
		conn, _, err := http.NewResponseController(w).Hijack()
		switch {
		case err != nil:
		case r.URL.Path == "/hijack-polite":
			<-fxshutdown.Draining(r.Context())
			conn.Close()
		case r.URL.Path == "/hijack-deaf":
			io.Copy(io.Discard, conn)
			conn.Close()
		}
		return
	}
	io.Copy(io.Discard, r.Body)
	io.WriteString(w, "hello")
}

// load starts a random client.
func (c *stressCycle) load() {
	switch c.random.IntN(16) {
	case 0, 1, 2:
		c.busy("/", true)
	case 3, 4:
		c.busy("/", false)
	case 5, 6:
		c.busy("/slow", true)
	case 7:
		c.busy("/panic", true)
	case 8:
		c.once("/wait")
	case 9:
		c.once("/stuck")
	case 10:
		c.once("/stream")
	case 11:
		c.raw("GET /hijack-polite HTTP/1.1\r\nHost: localhost\r\n\r\n")
	case 12:
		c.raw("GET /hijack-deaf HTTP/1.1\r\nHost: localhost\r\n\r\n")
	case 13:
		c.raw("GET /hijack-leaked HTTP/1.1\r\nHost: localhost\r\n\r\n")
	case 14:
		c.raw("")
	case 15:
		c.raw("GET / HTTP/1.1\r\nHost: loc")
	}
}

// client calls f with a client that is closed when f returns.
func (c *stressCycle) client(keepAlive bool, f func(*http.Client)) {
	tr := &http.Transport{Protocols: c.protocols, TLSClientConfig: c.tls.Clone(), DisableKeepAlives: !keepAlive}
	c.clients.Go(func() {
		defer tr.CloseIdleConnections()
		f(&http.Client{Transport: tr})
	})
}

// fetch sends one POST and reports whether a complete answer came.
func (c *stressCycle) fetch(client *http.Client, path string) bool {
	scheme := "http://"
	if c.tls != nil {
		scheme = "https://"
	}
	resp, err := client.Post(scheme+c.server.Addr().String()+path, "text/plain", strings.NewReader("body"))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return false
	}
	c.answered.Add(1)
	return true
}

// busy sends POSTs until the server has begun to drain and no longer answers.
func (c *stressCycle) busy(path string, keepAlive bool) {
	c.client(keepAlive, func(client *http.Client) {
		for c.fetch(client, path) || path == "/panic" {
			select {
			case <-c.over:
				return
			default:
			}
			if path == "/panic" {
				time.Sleep(time.Millisecond)
			}
		}
	})
}

func (c *stressCycle) once(path string) {
	c.client(true, func(client *http.Client) { c.fetch(client, path) })
}

// raw opens an HTTP/1 connection, sends text, and stays connected until the server closes.
func (c *stressCycle) raw(text string) {
	conn, err := net.Dial("tcp", c.server.Addr().String())
	if err != nil {
		c.t.Errorf("%s: %v", c.name, err)
		return
	}
	c.clients.Go(func() {
		defer conn.Close()
		if c.tls != nil && text != "" {
			cfg := c.tls.Clone()
			cfg.NextProtos = []string{"http/1.1"}
			conn = tls.Client(conn, cfg)
		}
		if _, err := io.WriteString(conn, text); err == nil {
			io.Copy(io.Discard, bufio.NewReader(conn))
		}
	})
}

// interfere, in some cycles, stops the server in another way during the stop. It reports
// whether it does so by force.
func (c *stressCycle) interfere(ctx context.Context, timeout time.Duration, others *sync.WaitGroup) (forced bool) {
	after := time.Duration(c.random.Int64N(int64(timeout / 2)))
	later := func(f func()) {
		others.Go(func() { time.Sleep(after); f() })
	}
	switch c.random.IntN(8) {
	case 0:
		later(func() { c.server.Close() })
	case 1:
		later(func() { c.srv.Close() })
	case 2:
		cancelled, cancel := context.WithCancel(ctx)
		others.Go(func() { c.server.Stop(cancelled) })
		later(cancel)
	case 3:
		others.Go(func() {
			short, cancel := context.WithTimeout(ctx, after)
			defer cancel()
			c.server.Stop(short)
		})
	case 4:
		others.Go(func() { c.srv.Shutdown(ctx) })
		return false
	default:
		return false
	}
	return true
}

// check compares the figures of the account with each other and with the error.
func (c *stressCycle) check(err error, excused bool) {
	c.t.Helper()
	// Stuck handlers outlive the stop.
	for end := time.Now().Add(5 * time.Second); c.server.Stats().InFlight > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	st, r := c.server.Stats(), c.server.Report()
	if st.Open() != 0 || st.InFlight != 0 || st.Accepted != st.Closed {
		c.t.Errorf(c.name+": Stats() after the stop = %+v, want nothing open", st)
	}
	if sum := r.Answered + r.Failed + r.Ended + r.Hijacks + r.Aborted; r.Requests != sum {
		c.t.Errorf(c.name+": Report() = %+v: Requests = %d, the parts are %d", r, r.Requests, sum)
	}
	var aborted *fxshutdown.AbortedError
	if excused {
		return // the error is that of Fx, not of the server
	}
	if err != nil && !errors.As(err, &aborted) {
		c.t.Errorf(c.name+": Stop() = %v, want nil or an *AbortedError; %+v", err, r)
	}
	lost := r.Unbegun
	for _, a := range r.AbortedRequests {
		if !a.Stream {
			lost++
		}
	}
	if (lost > 0) != (err != nil) {
		c.t.Errorf(c.name+": Stop() = %v with a Report of %d aborted requests: %+v", err, lost, r)
	}
}

// countFDs counts the descriptors of the process, where the system allows it.
func countFDs(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
