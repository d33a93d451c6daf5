package fxshutdown

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// Clients that are in the queue, or have completed their handshakes, are accepted; later
// ones are ignored.
func TestIgnoreSYNs(t *testing.T) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			l, err := lc.Listen(context.Background(), "tcp", addr)
			if err != nil {
				t.Skipf("no such address here: %v", err)
			}
			defer l.Close()
			early, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer early.Close()

			ignoreSYNsOrSkip(t, l)
			late, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
			if err == nil {
				late.Close()
				t.Error("a handshake after ignoreSYNs succeeded")
			} else if ne := net.Error(nil); !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("a handshake after ignoreSYNs ended with %v, want it ignored", err)
			}
			c, err := l.Accept()
			if err != nil {
				t.Fatalf("Accept() = %v for a queued connection", err)
			}
			defer c.Close()
			// The accepted connection works in both directions.
			early.Write([]byte("x"))
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Errorf("Read() = %v on an accepted connection", err)
			}
			l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Millisecond))
			if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Accept() = %v, want the queue to be empty", err)
			}
		})
	}
}

func TestKernelOfUnix(t *testing.T) {
	l, err := net.Listen("unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if kernelOf(l) != nil {
		t.Error("kernelOf() is not nil on a unix socket")
	}
}
