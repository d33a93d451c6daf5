package drain

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestClosedBeforeTheRequest has a server that closes a connection on which nothing is
// under way. No request may be sent on it, and none be lost.
func TestClosedBeforeTheRequest(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("cannot be seen before writing there")
	}
	for _, p := range protocols {
		for _, tt := range []struct {
			name string
			uses int // requests before
			want Counts
		}{
			{"kept", 1, Counts{ClosedIdle: 1}},
			{"fresh", 0, Counts{RefusedDials: 1, RefusedBefore: 1}},
		} {
			t.Run(p.name+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				cn := connectAndClose(t, p.tls)
				rec := &recorder{clock: &clock{}}
				c := &client{member: &member{rec: rec, arm: func() {}}, timeout: time.Minute, request: []byte("POST / HTTP/1.1\r\n\r\n")}
				cn.uses = tt.uses
				if c.exchange(t.Context(), cn) {
					t.Error("exchange() = true, want the connection given up")
				}
				if rec.counts != tt.want {
					t.Errorf("counts = %+v, want %+v", rec.counts, tt.want)
				}
			})
		}
	}
}

// connectAndClose is a connection that its server has closed, as the kernel knows
// already.
func connectAndClose(t *testing.T, https bool) *conn {
	t.Helper()
	addr := losing.FreeAddr(t)
	l := listen(t, addr)
	defer l.Close()
	d := &dialer{target: &target{addr: addr}, timeout: time.Minute}
	if https {
		certFile, keyFile := losing.WriteCert(t, addr)
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
		d.tls = &tls.Config{InsecureSkipVerify: true}
	}
	closed := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			if tc, ok := c.(*tls.Conn); ok {
				err = tc.Handshake()
			}
			c.Close()
		}
		closed <- err
	}()
	cn, err := d.dial(t.Context(), "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cn.Close() })
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	return cn
}

// TestOpenBeforeTheRequest has servers that close nothing, one of which has sent session
// tickets.
func TestOpenBeforeTheRequest(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if got := peek(a); got != peekNothing {
		t.Errorf("peek(pipe) = %v, want %v", got, peekNothing)
	}

	addr := losing.FreeAddr(t)
	certFile, keyFile := losing.WriteCert(t, addr)
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	l := tls.NewListener(listen(t, addr), &tls.Config{Certificates: []tls.Certificate{cert}})
	defer l.Close()
	done := make(chan struct{})
	defer close(done)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.(*tls.Conn).Handshake()
		<-done
	}()
	// Without a session cache no ticket is asked for.
	d := &dialer{target: &target{addr: addr}, timeout: time.Minute,
		tls: &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}}
	cn, err := d.dial(t.Context(), "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	defer cn.Close()
	for range 3 {
		if cn.closedByPeer() {
			t.Fatal("closedByPeer() = true for an open connection with a session ticket to read")
		}
	}
}
