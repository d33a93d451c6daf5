// Package streamtest checks fxhttp with libraries for WebSockets, server-sent events and
// gRPC. It is a module of its own, so that these are no requirements of fxhttp's users.
package streamtest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/fx"
	"go.uber.org/goleak"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slack is what a busy machine may add to a time on the wall.
const slack = 500 * time.Millisecond

// The library speaks HTTP/1.1 alone: it has no extended CONNECT (RFC 8441), and
// neither has net/http's server by default. So HTTP/2 is no mode here; a client
// that offers it with TLS gets HTTP/1.1 for its WebSocket.
var modes = []struct {
	name string
	tls  bool
}{{"h1", false}, {"https1", true}}

// polite closes its WebSocket when the drain begins.
func polite(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	closed := c.CloseRead(r.Context())
	select {
	case <-fxshutdown.Draining(r.Context()):
		c.Close(websocket.StatusGoingAway, "draining")
	case <-closed.Done():
	}
}

// deaf reads and writes whatever happens.
func deaf(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		// The context of the request would end it.
		typ, msg, err := c.Read(context.Background())
		if err != nil {
			return
		}
		if err := c.Write(context.Background(), typ, msg); err != nil {
			return
		}
	}
}

// leaked returns and leaves its connection open.
func leaked(w http.ResponseWriter, r *http.Request) { _, _ = websocket.Accept(w, r, nil) }

// A server is under test.
type server struct {
	*fxshutdown.Server
	t      *testing.T
	app    *fx.App // nil: none
	url    string
	client *http.Client
}

// start starts the engine alone.
func start(t *testing.T, useTLS bool, cfg fxshutdown.Config, handler http.HandlerFunc, settings ...func(*http.Server)) *server {
	t.Helper()
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	s := &server{t: t}
	srv.TLSConfig = s.prepare(useTLS)
	cfg.TLS = useTLS
	for _, set := range settings {
		set(srv)
	}
	var err error
	if s.Server, err = fxshutdown.New(srv, cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.url += s.Addr().String()
	return s
}

// prepare makes a client, and the settings of a server for it.
func (s *server) prepare(useTLS bool) *tls.Config {
	tr := &http.Transport{}
	s.t.Cleanup(tr.CloseIdleConnections)
	s.client, s.url = &http.Client{Transport: tr}, "ws://"
	if !useTLS {
		return nil
	}
	cert, roots := testcert.New()
	tr.TLSClientConfig = &tls.Config{RootCAs: roots}
	s.url = "wss://"
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// dial opens a WebSocket.
func (s *server) dial(path string) *websocket.Conn {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, s.url+path, &websocket.DialOptions{HTTPClient: s.client})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.CloseNow() })
	return c
}

// dialMany opens n WebSockets and returns when all are with their handlers.
func (s *server) dialMany(path string, n int) []*websocket.Conn {
	s.t.Helper()
	cs := make([]*websocket.Conn, n)
	for i := range cs {
		cs[i] = s.dial(path)
	}
	for end := time.Now().Add(10 * time.Second); s.Stats().Hijacked < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("Stats() = %+v, want %d hijacked", s.Stats(), n)
		}
	}
	return cs
}

// stop stops the server, through the app if there is one, and returns how long
// that took.
func (s *server) stop(budget time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), budget)
	defer cancel()
	stop := s.Stop
	if s.app != nil {
		stop = s.app.Stop
	}
	began := time.Now()
	err := stop(ctx)
	return time.Since(began), err
}

// reads reads from each connection until it ends, and returns the ends.
func reads(cs []*websocket.Conn) (wait func() []error) {
	errs := make([]error, len(cs))
	var readers sync.WaitGroup
	for i, c := range cs {
		readers.Go(func() {
			for errs[i] == nil {
				_, _, errs[i] = c.Read(context.Background())
			}
		})
	}
	return func() []error { readers.Wait(); return errs }
}

// wantGoingAway checks that the clients got a Close frame.
func wantGoingAway(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		var closed websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway || closed.Reason != "draining" {
			t.Errorf("client %d: %v, want a Close frame that says going away", i, err)
		}
	}
}

// wantCut checks that a stop was clean but for n WebSockets that it closed and named.
func (s *server) wantCut(n int, err error, running bool) {
	s.t.Helper()
	r := s.Report()
	if err != nil || len(r.HijackedClosedRequests) != n || len(r.AbortedRequests)+r.Unbegun > 0 {
		s.t.Errorf("Stop() = %v, Report() = %+v, want no error and %d cut", err, r, n)
	}
	for _, c := range r.HijackedClosedRequests {
		if c.Method != http.MethodGet || c.Path != "/ws" || c.Running != running {
			s.t.Errorf("Report().Cut has %+v, want GET /ws, running: %v", c, running)
		}
	}
	if st := s.Stats(); st.Open() != 0 || st.Accepted != st.Closed {
		s.t.Errorf("Stats() = %+v, want nothing open", st)
	}
}

func within(t *testing.T, took, least, most time.Duration) {
	t.Helper()
	if took < least || took > most+slack {
		t.Errorf("Stop() took %v, want %v to %v", took, least, most)
	}
}

func TestWebSocket(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Run("Polite", func(t *testing.T) {
				s := start(t, m.tls, fxshutdown.Config{}, polite)
				wait := reads(s.dialMany("/ws", 3))
				took, err := s.stop(20 * time.Second)
				within(t, took, 0, 0)
				wantGoingAway(t, wait())
				s.wantCut(0, err, false)
				if r := s.Report(); !r.Graceful() {
					t.Errorf("Report() = %+v, want a graceful stop", r)
				}
			})

			t.Run("Many", func(t *testing.T) {
				const n = 100
				s := start(t, m.tls, fxshutdown.Config{}, polite)
				wait := reads(s.dialMany("/ws", n))
				took, err := s.stop(20 * time.Second)
				within(t, took, 0, slack)
				wantGoingAway(t, wait())
				s.wantCut(0, err, false)
			})

			// Stop returns when the last one is closed, not a while later.
			t.Run("Last", func(t *testing.T) {
				const stays = 300 * time.Millisecond
				s := start(t, m.tls, fxshutdown.Config{}, deaf)
				cs := s.dialMany("/ws", 5)
				wait := reads(cs[:4])
				time.AfterFunc(stays/2, func() {
					for _, c := range cs[:4] {
						c.CloseNow()
					}
				})
				last := make(chan time.Time, 1)
				time.AfterFunc(stays, func() {
					cs[4].Close(websocket.StatusNormalClosure, "")
					last <- time.Now()
				})
				took, err := s.stop(20 * time.Second)
				if late := time.Since(<-last); late > 50*time.Millisecond {
					t.Errorf("Stop() returned %v after the last WebSocket was closed", late)
				}
				wait()
				within(t, took, stays, stays)
				s.wantCut(0, err, false)
			})

			t.Run("HijackGrace", func(t *testing.T) {
				const grace = 200 * time.Millisecond
				s := start(t, m.tls, fxshutdown.Config{HijackGrace: grace}, deaf)
				wait := reads(s.dialMany("/ws", 10))
				took, err := s.stop(20 * time.Second)
				within(t, took, grace, grace+100*time.Millisecond)
				s.wantCut(10, err, true)
				wantEnded(t, wait())
			})

			t.Run("Budget", func(t *testing.T) {
				const budget = time.Second // 900 ms without the reserve
				s := start(t, m.tls, fxshutdown.Config{}, deaf)
				wait := reads(s.dialMany("/ws", 10))
				took, err := s.stop(budget)
				within(t, took, budget*8/10, budget*9/10)
				s.wantCut(10, err, true)
				wantEnded(t, wait())
				if r := s.Report(); !errors.Is(r.Forced, fxshutdown.ErrBudget) {
					t.Errorf("Report().Forced = %v, want %v", r.Forced, fxshutdown.ErrBudget)
				}
			})

			t.Run("Leaked", func(t *testing.T) {
				const grace = 200 * time.Millisecond
				s := start(t, m.tls, fxshutdown.Config{HijackGrace: grace}, leaked)
				wait := reads(s.dialMany("/ws", 3))
				took, err := s.stop(20 * time.Second)
				within(t, took, grace, grace+100*time.Millisecond)
				s.wantCut(3, err, false)
				wantEnded(t, wait())
			})

			// One that is opened during the stop is told at once.
			t.Run("Late", func(t *testing.T) {
				entered, leave := make(chan struct{}), make(chan struct{})
				s := start(t, m.tls, fxshutdown.Config{}, func(w http.ResponseWriter, r *http.Request) {
					close(entered)
					<-leave
					polite(w, r)
				})
				dialled := make(chan *websocket.Conn, 1)
				go func() { dialled <- s.dial("/ws") }()
				<-entered
				stopped := make(chan error, 1)
				go func() { _, err := s.stop(20 * time.Second); stopped <- err }()
				<-s.Draining()
				close(leave)
				wait := reads([]*websocket.Conn{<-dialled})
				wantGoingAway(t, wait())
				s.wantCut(0, <-stopped, false)
			})
		})
	}
}

// wantEnded checks that the clients' connections ended without a Close frame.
func wantEnded(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if websocket.CloseStatus(err) != -1 {
			t.Errorf("client %d: %v, want the end of the connection", i, err)
		}
	}
}

// TestModule runs polite, deaf and leaked WebSockets in an app whose later hooks
// must run.
func TestModule(t *testing.T) {
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			s := &server{t: t}
			mux := http.NewServeMux()
			mux.HandleFunc("/polite", polite)
			mux.HandleFunc("/ws", deaf)
			mux.HandleFunc("/leaked", leaked)
			opts := []fxhttp.Option{fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHijackGrace(200 * time.Millisecond), fxhttp.WithLogger(logger{})}
			if cfg := s.prepare(m.tls); cfg != nil {
				opts = append(opts, fxhttp.WithTLS(cfg))
			}
			closed := false
			s.app = fx.New(fx.NopLogger, fxhttp.Module(opts...), fx.Populate(&s.Server),
				fx.Provide(func(lc fx.Lifecycle) http.Handler {
					lc.Append(fx.StopHook(func() { closed = true }))
					return mux
				}))
			if err := s.app.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			s.url += s.Addr().String()

			var all []*websocket.Conn
			for i, path := range []string{"/polite", "/ws", "/leaked"} {
				for range 3 {
					all = append(all, s.dial(path))
				}
				for end := time.Now().Add(10 * time.Second); s.Stats().Hijacked < 3*(i+1) && time.Now().Before(end); {
					time.Sleep(time.Millisecond)
				}
			}
			wait := reads(all)
			if _, err := s.stop(5 * time.Second); err != nil {
				t.Errorf("Stop() = %v, want nil", err)
			}
			errs := wait()
			wantGoingAway(t, errs[:3])
			wantEnded(t, errs[3:])
			count := map[string]int{}
			for _, c := range s.Report().HijackedClosedRequests {
				count[c.Path]++
			}
			if want := map[string]int{"/ws": 3, "/leaked": 3}; fmt.Sprint(count) != fmt.Sprint(want) {
				t.Errorf("Report().HijackedClosedRequests = %v, want %v", count, want)
			}
			if !closed {
				t.Error("the hook after the server's did not run")
			}
		})
	}
}

// logger keeps the tests quiet.
type logger struct{}

func (logger) LogEvent(fxshutdown.Event) {}
