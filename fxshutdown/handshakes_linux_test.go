package fxshutdown

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/internal/link"
)

// The clients of a distant server are counted while their handshakes are under way. They
// complete the handshakes although new ones are ignored, and are not counted any more.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	// The round trip is so long that all servers are asked before the first handshake is
	// complete.
	far, err := link.Open(link.Config{RTT: time.Second})
	if errors.Is(err, link.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(far.Close)

	const clients = 3
	dialed := make(chan error)
	dial := func(addr string) {
		dialed <- far.Client.Do(func() error {
			c, err := net.DialTimeout("tcp", addr, 10*time.Second)
			if err == nil {
				t.Cleanup(func() { c.Close() })
			}
			return err
		})
	}
	type server struct {
		network string
		listen  string
		other   string // another address to listen on, with the same port
		dial    string
		l       *net.TCPListener
		others  *net.TCPListener
	}
	servers := []server{
		{network: "tcp4", listen: far.Server.IPv4, other: "127.0.0.1", dial: far.Server.IPv4},
		{network: "tcp6", listen: far.Server.IPv6, other: "::1", dial: far.Server.IPv6},
		{network: "tcp4", listen: "0.0.0.0", dial: far.Server.IPv4},
		{network: "tcp6", listen: "::", dial: far.Server.IPv6},
		{network: "tcp", listen: "", dial: far.Server.IPv4},
		{network: "tcp", listen: "", dial: far.Server.IPv6},
	}
	if far.Server.IPv6 == "" {
		servers = slices.DeleteFunc(servers, func(s server) bool { return s.dial == "" })
	}
	for i := range servers {
		s := &servers[i]
		s.l = listenAt(t, far.Server, s.network, net.JoinHostPort(s.listen, "0"))
		_, port, _ := net.SplitHostPort(s.l.Addr().String())
		if s.other != "" {
			s.others = listenAt(t, far.Server, s.network, net.JoinHostPort(s.other, port))
		}
		for range clients {
			go dial(net.JoinHostPort(s.dial, port))
		}
	}

	await := func(l *net.TCPListener, want int) {
		t.Helper()
		var got [3]int
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			if got = count(t, far.Server, l); got == [3]int{want, want, want} {
				return
			}
		}
		t.Errorf("sock_diag, /proc and references know of %d handshakes with %s, want %d", got, l.Addr(), want)
	}
	for _, s := range servers {
		await(s.l, clients)
		if s.others != nil {
			if got := count(t, far.Server, s.others); got != [3]int{} {
				t.Errorf("sock_diag, /proc and references know of %d handshakes with %s, want none", got, s.others.Addr())
			}
		}
		if err := kernelOf(s.l).ignoreSYNs(); err != nil {
			t.Errorf("ignoreSYNs() = %v of %s", err, s.l.Addr())
		}
	}
	for range len(servers) * clients {
		if err := <-dialed; err != nil {
			t.Errorf("a handshake that was under way failed: %v", err)
		}
	}
	for _, s := range servers {
		await(s.l, 0)
		s.l.SetDeadline(time.Now().Add(5 * time.Second))
		for range clients {
			c, err := s.l.Accept()
			if err != nil {
				t.Errorf("Accept() = %v of a completed handshake with %s", err, s.l.Addr())
				break
			}
			c.Close()
		}
	}
}

func listenAt(t testing.TB, end *link.End, network, addr string) *net.TCPListener {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	var l net.Listener
	if err := end.Do(func() (err error) {
		l, err = lc.Listen(context.Background(), network, addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// count asks in all three ways.
func count(t *testing.T, end *link.End, l *net.TCPListener) (n [3]int) {
	t.Helper()
	s := kernelOf(l).(*socket)
	at, err := s.address()
	if err != nil {
		t.Fatal(err)
	}
	if err := end.Do(func() error {
		diag, err := at.askSockDiag()
		proc, procErr := at.readProc()
		refs, refsErr := s.countReferences()
		n = [3]int{diag, proc, refs}
		return errors.Join(err, procErr, refsErr)
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// A client that is gone before it has completed its handshake counts for 3 s.
func TestHandshakesOfTheGone(t *testing.T) {
	t.Parallel()
	// The round trip is so long that the handshake is counted, and the link cut, before
	// it is complete.
	far, err := link.Open(link.Config{RTT: time.Second})
	if errors.Is(err, link.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(far.Close)
	l := listenAt(t, far.Server, "tcp4", far.Server.Addr(0))
	dialed := make(chan struct{})
	ctx, giveUp := context.WithCancel(context.Background())
	go func() {
		defer close(dialed)
		far.Client.Do(func() error {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
			if err == nil {
				c.Close()
			}
			return err
		})
	}()
	await := func(want [3]int) {
		t.Helper()
		var got [3]int
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if got = count(t, far.Server, l); got == want {
				return
			}
		}
		t.Errorf("sock_diag, /proc and references know of %d handshakes, want %d", got, want)
	}
	await([3]int{1, 1, 1})
	far.Pull()
	await([3]int{0, 0, 1})
	giveUp()
	<-dialed
}

func TestHandshakesNone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := kernelOf(l)
	if n, err := k.handshakes(); n != 0 || err != nil {
		t.Errorf("handshakes() = %d, %v, want none", n, err)
	}
	l.Close()
	if _, err := k.handshakes(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("handshakes() = %v of a closed listener, want net.ErrClosed", err)
	}
}

func TestParseProcAddress(t *testing.T) {
	for _, tt := range []struct {
		text string
		ip   string // "" if it is none
		port uint16
	}{
		{"0100007F:1F90", "127.0.0.1", 8080},
		{"00000000000000000000000001000000:0050", "::1", 80},
		{"0000000000000000FFFF00000200007F:FFFF", "::ffff:127.0.0.2", 65535},
		{"local_address", "", 0},
		{"0100007F", "", 0},
		{"0100007F:1F9", "", 0},
		{"0100007:1F90", "", 0},
		{"01000X7F:1F90", "", 0},
		{"0100007F:1X90", "", 0},
		{"000000000000000000000000000000000001000000:0050", "", 0},
		{"", "", 0},
	} {
		ip, port, ok := parseProcAddress([]byte(tt.text))
		if tt.ip == "" {
			if ok {
				t.Errorf("parseProcAddress(%q) = %v, %d, want none", tt.text, ip, port)
			}
			continue
		}
		if !ok || ip != netip.MustParseAddr(tt.ip) || port != tt.port {
			t.Errorf("parseProcAddress(%q) = %v, %d, %v, want %s, %d", tt.text, ip, port, ok, tt.ip, tt.port)
		}
	}
}

// A stop asks many times; no answer leaves a descriptor open.
func TestAsksLeaveNothingOpen(t *testing.T) {
	questions := asks(t)
	open := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // the collector would close forgotten files
	for name, ask := range questions {
		t.Run(name, func(t *testing.T) {
			const times = 10
			before := open()
			for range times {
				ask() // also if the kernel refuses to answer
			}
			if more := open() - before; more >= times {
				t.Errorf("%d answers have left %d descriptors open", times, more)
			}
		})
	}
}

// BenchmarkHandshakes shows what asking costs if there are no handshakes.
func BenchmarkHandshakes(b *testing.B) {
	questions := asks(b)
	for name, ask := range questions {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := ask(); n != 0 || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// asks returns the ways to ask for the handshakes of a listener that has none.
func asks(t testing.TB) map[string]func() (int, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := kernelOf(l).(*socket)
	at, err := s.address()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func() (int, error){
		"references": s.countReferences, "sock_diag": at.askSockDiag, "proc": at.readProc,
	}
}
