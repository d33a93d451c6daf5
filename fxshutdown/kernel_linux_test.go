package fxshutdown

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

func listenPlain(t testing.TB, addr string) net.Listener {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// handshakes asks its sources in order, and combines the answers.
func TestHandshakesSources(t *testing.T) {
	type answer struct {
		n   int
		err error
	}
	refused := &answer{err: errors.New("refused")}
	elsewhere := &answer{err: errElsewhere}
	for _, tt := range []struct {
		name             string
		refs, diag, proc *answer // nil: not to be asked
		want             int
		fails            bool
	}{
		{name: "NoReference", refs: &answer{}},
		{name: "OthersReference", refs: &answer{n: 1}, diag: &answer{}},
		{name: "OthersHandshakes", refs: &answer{n: 2}, diag: &answer{n: 7}, want: 2},
		{name: "GoneClients", refs: &answer{n: 7}, diag: &answer{n: 2}, want: 2},
		{name: "NoProcFile", refs: refused, diag: &answer{n: 3}, want: 3},
		{name: "NoNetlink", refs: &answer{n: 3}, diag: refused, proc: &answer{n: 3}, want: 3},
		{name: "OldKernelNoNetlink", refs: refused, diag: refused, proc: &answer{n: 3}, want: 3},
		{name: "Nothing", refs: refused, diag: refused, proc: refused, fails: true},
		{name: "OtherNamespace", refs: elsewhere, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := func(what string, a *answer) (int, error) {
				if a == nil {
					t.Errorf("%s is asked", what)
					return 0, nil
				}
				return a.n, a.err
			}
			s := kernelOf(listenPlain(t, "127.0.0.1:0")).(*socket)
			s.references = func(*socket) (int, error) { return asked("references", tt.refs) }
			s.others = []func(listenAddress) (int, error){
				func(listenAddress) (int, error) { return asked("sock_diag", tt.diag) },
				func(listenAddress) (int, error) { return asked("/proc", tt.proc) },
			}
			n, err := s.handshakes()
			if n != tt.want || (err != nil) != tt.fails {
				t.Errorf("handshakes() = %d, %v, want %d, an error: %v", n, err, tt.want, tt.fails)
			}
		})
	}
}

// Without descriptors, nothing can be asked now, but perhaps soon.
func TestHandshakesOutOfDescriptors(t *testing.T) {
	s := kernelOf(listenPlain(t, "127.0.0.1:0")).(*socket)
	emfile := os.NewSyscallError("open", syscall.EMFILE)
	s.references = func(*socket) (int, error) { return 0, emfile }
	s.others = []func(listenAddress) (int, error){func(listenAddress) (int, error) { return 0, emfile }}
	if _, err := s.handshakes(); !isTemporary(err) {
		t.Errorf("isTemporary(%v) = false", err)
	}
}

// Connections in the queue do not count as handshakes.
func TestQueued(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", ":0"} {
		t.Run(addr, func(t *testing.T) {
			l := listenPlain(t, addr)
			s := kernelOf(l).(*socket)
			for i := range 4 {
				if n, ok := s.queued(); n != i || !ok {
					t.Errorf("queued() = %d, %v, want %d", n, ok, i)
				}
				if n, err := s.countReferences(); n != 0 || err != nil {
					t.Errorf("countReferences() = %d, %v with %d in the queue, want none", n, err, i)
				}
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
		})
	}
}

// Multipath TCP refuses the filter, but reports its queue.
func TestMultipath(t *testing.T) {
	if on, err := os.ReadFile("/proc/sys/net/mptcp/enabled"); err != nil || on[0] != '1' {
		t.Skip("no Multipath TCP here")
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(true)
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k := kernelOf(l)
	if k.ignoreSYNs() == nil {
		t.Error("ignoreSYNs() = nil with Multipath TCP")
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, ok := k.queued(); n != 1 || !ok {
		t.Errorf("queued() = %d, %v, want 1", n, ok)
	}

	// A listener that Start opens never uses Multipath TCP, whatever the ListenConfig
	// says.
	ours, err := listen(t.Context(), Config{Network: "tcp", ListenConfig: &lc}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	ignoreSYNsOrSkip(t, ours)
}

// ignoreSYNsOrSkip skips the test where the kernel wants a privilege for it.
func ignoreSYNsOrSkip(t *testing.T, l net.Listener) {
	t.Helper()
	err := kernelOf(l).ignoreSYNs()
	if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("ignoreSYNs() = %v on plain TCP", err)
	}
}

// A wrapper that shows its socket is as good as the listener in it.
func TestKernelOf(t *testing.T) {
	l := listenPlain(t, "127.0.0.1:0").(*net.TCPListener)
	if kernelOf(struct{ *net.TCPListener }{l}) == nil {
		t.Error("kernelOf() = nil of a wrapper that shows its socket")
	}
	if kernelOf(struct{ net.Listener }{l}) != nil {
		t.Error("kernelOf() is not nil of a wrapper that hides its socket")
	}
	l.Close()
	if kernelOf(l) != nil {
		t.Error("kernelOf() is not nil of a closed listener")
	}
}

func TestReleaseAtLeast(t *testing.T) {
	for release, want := range map[string]bool{
		"6.18.44-x": true, "4.4.0": true, "4.10.1": true, "4.3.9": false, "3.10.0-1160.el7": false, "": false, "next": false,
	} {
		if got := releaseAtLeast(release, 4, 4); got != want {
			t.Errorf("releaseAtLeast(%q, 4, 4) = %v, want %v", release, got, want)
		}
	}
}
