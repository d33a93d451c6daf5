package fxhttpsystemd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSocketActivate has systemd itself pass the sockets: of each kind, by their names.
func TestSocketActivate(t *testing.T) {
	activate := lookPath(t, "systemd-socket-activate")
	program := filepath.Join(t.TempDir(), "service")
	build(t, program)

	t.Run("Names", func(t *testing.T) {
		m := newManager(t)
		v4, v6 := freeAddr(t, "127.0.0.1:0"), freeAddr(t, "[::1]:0")
		unix := filepath.Join(filepath.Dir(m.path), "unix")
		p := run(t, activate, "-l", v4, "-l", v6, "-l", unix, "--fdname=http:six:file", "-E", "NOTIFY_SOCKET="+m.path,
			program, "http", "second=six", "third=file")
		for _, c := range []struct{ network, addr, want string }{{"unix", unix, "file"}, {"tcp", v4, "http"}, {"tcp", v6, "six"}} {
			if got := get(t, c.network, c.addr, "/"); got != c.want {
				t.Errorf("%s %s is served as %q, want %q", c.network, c.addr, got, c.want)
			}
		}
		status := m.want(t, "READY=1")
		for _, want := range []string{"the http server on tcp " + v4, `"second" on tcp ` + v6, `"third" on unix ` + unix} {
			if !strings.Contains(status[0], want) {
				t.Errorf("%q does not say %q", status[0], want)
			}
		}
		p.Process.Signal(syscall.SIGTERM)
		if err := p.Wait(); err != nil {
			t.Errorf("it ended with: %v", err)
		}
		m.want(t, "STOPPING=1")
	})

	t.Run("WrongName", func(t *testing.T) {
		v4 := freeAddr(t, "127.0.0.1:0")
		p := run(t, activate, "-l", v4, "--fdname=http", program, "web")
		c := dial(t, "tcp", v4) // starts it
		defer c.Close()
		if err := p.Wait(); err == nil {
			t.Error("it ended well")
		}
		if want := `no socket "web" among those that were passed: "http" (tcp ` + v4 + ")"; !strings.Contains(p.output(), want) {
			t.Errorf("output %q, want %q", p.output(), want)
		}
	})
}

// TestExample runs the program that users copy.
func TestExample(t *testing.T) {
	activate := lookPath(t, "systemd-socket-activate")
	program := filepath.Join(t.TempDir(), "example")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./example").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := newManager(t)
	addr := freeAddr(t, "127.0.0.1:0")
	p := run(t, activate, "-l", addr, "--fdname=http", "-E", "NOTIFY_SOCKET="+m.path, program)
	if got := get(t, "tcp", addr, "/"); got != "hello\n" {
		t.Errorf("answer %q", got)
	}
	m.want(t, "READY=1")
	p.Process.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		t.Errorf("it ended with: %v", err)
	}
}

// TestRestart plays systemd, which keeps the socket open while the service restarts.
// Clients that never repeat a request lose none, and those that come meanwhile wait.
func TestRestart(t *testing.T) {
	m := newManager(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	program := filepath.Join(t.TempDir(), "service")
	build(t, program)
	start := func() *process {
		// LISTEN_PID is the number of who is to take them.
		p := command(t, "/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" http`, program)
		p.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_FDNAMES=http")
		p.ExtraFiles = []*os.File{socket}
		p.begin(t)
		m.until(t, "READY=1")
		return p
	}

	p := start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answered atomic.Int64
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			transport := &http.Transport{DisableKeepAlives: i%2 == 0}
			defer transport.CloseIdleConnections()
			c := &http.Client{Transport: transport, Timeout: patience}
			for ctx.Err() == nil {
				resp, err := c.Post("http://"+ln.Addr().String()+"/", "text/plain", strings.NewReader("x"))
				if err != nil {
					t.Errorf("lost: %v", err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				answered.Add(1)
			}
		})
	}
	for range 3 {
		for n := answered.Load() + 200; answered.Load() < n && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		p.Process.Signal(syscall.SIGTERM)
		if err := p.Wait(); err != nil {
			t.Errorf("it ended with: %v", err)
		}
		p = start()
	}
	cancel()
	clients.Wait()
	p.Process.Signal(syscall.SIGTERM)
	p.Wait()
}

// lookPath finds a program of systemd's, which CI has.
func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("no %s: install Debian's package systemd", name)
	} else if err != nil {
		t.Fatalf("%v: CI installs Debian's package systemd", err)
	}
	return path
}

// build builds the testdata service.
func build(t *testing.T, program string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/service").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// process is a program that the end of the test kills, if it runs then.
type process struct {
	*exec.Cmd
	out bytes.Buffer
}

func command(t *testing.T, name string, args ...string) *process {
	p := &process{Cmd: exec.CommandContext(t.Context(), name, args...)}
	p.Dir = t.TempDir()
	p.Stdout, p.Stderr = &p.out, &p.out
	return p
}

func (p *process) begin(t *testing.T) {
	t.Helper()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if p.ProcessState == nil {
			p.Process.Kill()
			p.Wait()
		}
		if t.Failed() {
			t.Logf("%v:\n%s", p.Args, p.out.String())
		}
	})
}

// output is what it printed; only when it has ended.
func (p *process) output() string { return p.out.String() }

func run(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := command(t, name, args...)
	p.begin(t)
	return p
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr(t *testing.T, addr string) string {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// dial connects as soon as somebody listens.
func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial(network, addr)
		if err == nil {
			return c
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, network, addr, path string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return dial(t, network, addr), nil
	}}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Get(fmt.Sprintf("http://localhost%s", path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
