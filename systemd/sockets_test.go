//go:build unix

package fxhttpsystemd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// fileOf returns what systemd would pass: a descriptor of its own, of that name.
func fileOf(t *testing.T, name string, socket interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	named := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { named.Close() })
	return named
}

func TestListener(t *testing.T) {
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listenOn := func(network, addr string) net.Listener {
		ln, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return ln
	}
	tcp := listenOn("tcp4", "127.0.0.1:0").(*net.TCPListener)
	unix := listenOn("unix", filepath.Join(dir, "s")).(*net.UnixListener)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { packets.Close() })
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })

	p := passed{files: []*os.File{
		fileOf(t, "http", tcp),
		fileOf(t, "unix", unix),
		fileOf(t, "udp", packets.(*net.UDPConn)),
		fileOf(t, "connection", conn.(*net.TCPConn)),
		fileOf(t, "two", tcp),
		fileOf(t, "two", unix),
	}}
	all := fmt.Sprintf(`"http" (tcp %v), "unix" (unix %v), "udp" (udp %v), `, tcp.Addr(), unix.Addr(), packets.LocalAddr())
	for name, want := range map[string]string{
		"http":       "",
		"unix":       "",
		"admin":      `no socket "admin" among those that were passed: ` + all,
		"udp":        `the socket "udp" (udp ` + packets.LocalAddr().String() + "): it is not a stream socket",
		"connection": "is a connection and does not listen: the .socket unit needs Accept=no",
		"two":        fmt.Sprintf(`2 sockets are called "two": "two" (tcp %v), "two" (unix %v)`, tcp.Addr(), unix.Addr()),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "connection" && runtime.GOOS != "linux" {
				t.Skip("only Linux tells")
			}
			for range 2 { // as often as one likes
				ln, err := p.listener(name)
				if ln != nil {
					ln.Close()
				}
				switch {
				case want == "" && err != nil:
					t.Errorf("listener(%q) = %v", name, err)
				case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("listener(%q) = %v, want an error that says %q", name, err, want)
				}
			}
		})
	}
}
