package fxshutdown_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A hijackedConn is a hijacked connection as each party sees it.
type hijackedConn struct {
	hijacked net.Conn // what Hijack returned
	rw       *bufio.ReadWriter
	state    net.Conn // what the ConnState hook saw
	context  net.Conn // what the ConnContext hook saw
	client   *rawConn
}

// hijackedEnds are the ways in which a hijacked connection ends, besides its own Close.
var hijackedEnds = []struct {
	name string
	end  func(*testing.T, *hijackedConn)
}{
	{"Hijack", func(_ *testing.T, c *hijackedConn) { c.hijacked.Close() }},
	{"ConnState", func(_ *testing.T, c *hijackedConn) { c.state.Close() }},
	{"ConnContext", func(_ *testing.T, c *hijackedConn) { c.context.Close() }},
	{"PeerSeenByRead", func(t *testing.T, c *hijackedConn) {
		c.client.Close()
		read(t, c.hijacked)
	}},
	{"PeerSeenByBufferedRead", func(t *testing.T, c *hijackedConn) {
		c.client.Close()
		read(t, c.rw)
	}},
	{"PeerSeenByWriteTo", func(t *testing.T, c *hijackedConn) {
		c.client.Close()
		io.Copy(io.Discard, c.hijacked)
	}},
	{"PeerReset", func(t *testing.T, c *hijackedConn) {
		if tcp, ok := c.client.Conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.client.Close()
		read(t, c.hijacked)
	}},
}

// read reads until the end.
func read(t *testing.T, r io.Reader) {
	t.Helper()
	if _, err := io.ReadAll(r); errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v", err)
	}
}

// However a hijacked connection ends, it no longer holds the stop, and was not cut.
func TestHijackedEnds(t *testing.T) {
	for _, e := range hijackedEnds {
		t.Run(e.name, func(t *testing.T) {
			sockets(t, h1Modes, func(t *testing.T, m mode) {
				t.Run("BeforeStop", func(t *testing.T) {
					s, c := hijackOne(t, m)
					e.end(t, c)
					wantEnded(t, s, s.stopIn(3*time.Second))
				})
				t.Run("DuringStop", func(t *testing.T) {
					s, c := hijackOne(t, m)
					done := s.stopIn(3 * time.Second)
					e.end(t, c)
					wantEnded(t, s, done)
				})
			})
		})
	}
}

func wantEnded(t *testing.T, s *server, done <-chan error) {
	t.Helper()
	wantStopped(t, done)
	r := s.Report()
	if r.Duration > time.Second+slack {
		t.Errorf("the stop took %v, want it to see the end of the connection", r.Duration)
	}
	if len(r.HijackedClosedRequests) != 0 || !r.Graceful() {
		t.Errorf("Report() = %+v, want nothing cut", r)
	}
}

// hijackOne returns a connection whose handler has hijacked it and returned.
func hijackOne(t *testing.T, m mode) (*server, *hijackedConn) {
	t.Helper()
	c := &hijackedConn{}
	done := make(chan struct{})
	s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		var err error
		if c.hijacked, c.rw, err = http.NewResponseController(w).Hijack(); err != nil {
			t.Errorf("Hijack() = %v", err)
		}
	}, idleGrace(5*time.Millisecond), func(srv *http.Server, _ *fxshutdown.Config) {
		srv.ConnState = func(nc net.Conn, st http.ConnState) {
			if st == http.StateNew {
				c.state = nc
			}
		}
		srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
			c.context = nc
			return ctx
		}
	})
	c.client = s.raw()
	c.client.get("/hijacked")
	receive(t, "the handler", done)
	t.Cleanup(func() { c.hijacked.Close(); c.state.Close() })
	return s, c
}

// The ResponseWriter of a hijacked connection answers a handler that keeps it as
// net/http's does.
func TestHijackedWriter(t *testing.T) {
	use := func(w http.ResponseWriter) string {
		_, writeErr := w.Write([]byte("late"))
		w.WriteHeader(http.StatusTeapot)
		w.Header().Set("Late", "yes")
		rc := http.NewResponseController(w)
		_, _, hijackErr := rc.Hijack()
		_, stringErr := io.WriteString(w, "late")
		return fmt.Sprintf("Write: %v, WriteString: %v, Hijack: %v, Header: %v", writeErr, stringErr, hijackErr, w.Header())
	}
	var got [2]string
	for i, m := range []mode{h1, {name: "bare"}} {
		writers, gone := make(chan http.ResponseWriter, 1), make(chan struct{})
		h := func(w http.ResponseWriter, r *http.Request) {
			defer close(gone)
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			c.Close()
			writers <- w
		}
		addr := bareOrNot(t, m, h)
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		w := receive(t, "the handler", writers)
		receive(t, "the handler's end", gone)
		got[i] = use(w)
	}
	if got[0] != got[1] {
		t.Errorf("a kept ResponseWriter says\n%s\nwant what net/http's says,\n%s", got[0], got[1])
	}
}

// bareOrNot serves h by the engine, or by net/http alone.
func bareOrNot(t *testing.T, m mode, h http.HandlerFunc) net.Addr {
	t.Helper()
	if m.name != "bare" {
		return start(t, m, h).Addr()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return l.Addr()
}

// A hijacked connection costs at most 400 bytes more than net/http's once its handler has
// returned, even if its owner keeps the request's context too.
func TestHijackedMemory(t *testing.T) {
	const most, n = 400, 200
	type kept struct {
		c   net.Conn
		ctx context.Context
	}
	measure := func(m mode, keepContext bool) float64 {
		keep := make(chan kept, n)
		gone := make(chan struct{}, n)
		h := func(w http.ResponseWriter, r *http.Request) {
			defer func() { gone <- struct{}{} }()
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("Hijack() = %v", err)
				return
			}
			k := kept{c: c}
			if keepContext {
				k.ctx = r.Context()
			}
			keep <- k
		}
		addr := bareOrNot(t, m, h)
		before := heap()
		var clients []net.Conn
		for range n {
			c, err := net.Dial(addr.Network(), addr.String())
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
			io.WriteString(c, "GET /hijacked HTTP/1.1\r\nHost: localhost\r\n\r\n")
			receive(t, "the handler", gone)
		}
		after := heap()
		for _, c := range clients {
			(<-keep).c.Close()
			c.Close()
		}
		return (after - before) / n
	}
	for _, keepContext := range []bool{false, true} {
		t.Run(fmt.Sprintf("ContextKept=%v", keepContext), func(t *testing.T) {
			measure(mode{name: "bare"}, keepContext) // what is allocated once
			var bares, all []float64
			for range 3 { // the runtime's own memory comes and goes
				bares = append(bares, measure(mode{name: "bare"}, keepContext))
				all = append(all, measure(h1, keepContext))
			}
			slices.Sort(bares)
			slices.Sort(all)
			bare, ours := bares[1], all[1]
			t.Logf("a hijacked connection keeps %.0f bytes, bare %.0f", ours, bare)
			limit := float64(most)
			if keepContext {
				limit += 250 // the context is ours, and has the request's place in the account
			}
			if ours-bare > limit {
				t.Errorf("a hijacked connection keeps %.0f bytes more than bare, want at most %v", ours-bare, limit)
			}
		})
	}
}

// heap returns what is reachable, once goroutines that are ending have ended.
func heap() float64 {
	var ms runtime.MemStats
	for range 3 {
		time.Sleep(10 * time.Millisecond)
		runtime.GC()
	}
	runtime.ReadMemStats(&ms)
	return float64(ms.HeapAlloc)
}
