//go:build unix

package fxshutdown_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// starvedEnv makes the test binary a server with few descriptors.
const starvedEnv = "FXSHUTDOWN_TEST_STARVED"

const (
	starvedDescriptors = 40
	starvedClients     = 100
)

// TestStarved stops a server that is out of descriptors: connections that send nothing
// hold them, and clients wait in the queue. All of these clients are answered, since idle
// connections go while they wait.
func TestStarved(t *testing.T) {
	s := startStarved(t, "idle")
	clients := s.dial(t)
	s.stop()
	for i, c := range clients[starvedDescriptors:] {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("client %d of the queue: %v", i, err)
		}
		resp.Body.Close()
	}
	s.wantReport(t, "graceful=true unaccepted=0 error=<nil>")
}

// TestStarvedForGood has a server whose descriptors are held by requests that do not end:
// the clients that are left in the queue are counted, and the stop is not graceful.
func TestStarvedForGood(t *testing.T) {
	s := startStarved(t, "busy")
	for _, c := range s.dial(t) {
		defer c.Close()
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	s.stop()
	s.wantReport(t, "graceful=false", "too many open files")
}

// A starved server is a process of its own.
type starved struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	addr  string
}

func startStarved(t *testing.T, kind string) *starved {
	t.Helper()
	cmd, stdin, stdout := startSelf(t, starvedEnv+"="+kind, "-test.run=^TestStarvedServer$")
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	s := &starved{cmd, stdin, bufio.NewScanner(stdout), ""}
	s.addr = s.line(t, "addr ")
	return s
}

// line returns the rest of the next line that begins with prefix.
func (s *starved) line(t *testing.T, prefix string) string {
	t.Helper()
	for s.lines.Scan() {
		if rest, ok := strings.CutPrefix(s.lines.Text(), prefix); ok {
			return rest
		}
	}
	t.Fatalf("the server ended without a line %q", prefix)
	panic("unreachable")
}

// dial makes more connections than the server has descriptors, and waits until it is
// out of them.
func (s *starved) dial(t *testing.T) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, starvedClients)
	for i := range conns {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}
	s.line(t, "starved")
	return conns
}

func (s *starved) stop() { s.stdin.Close() }

func (s *starved) wantReport(t *testing.T, wants ...string) {
	t.Helper()
	got := s.line(t, "report ")
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("report: %s, want %q in it", got, want)
		}
	}
}

// TestStarvedServer is not a test, but the server of the other tests.
func TestStarvedServer(t *testing.T) {
	kind := os.Getenv(starvedEnv)
	if kind == "" {
		t.Skip("it is a server for other tests")
	}
	starving := starvedLogger{make(chan struct{}, 1)}
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind == "busy" {
			<-r.Context().Done()
		}
		io.WriteString(w, "hello")
	})}
	s, err := fxshutdown.New(srv, fxshutdown.Config{IdleGrace: 50 * ms, Logger: starving})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: starvedDescriptors, Max: starvedDescriptors}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fmt.Println("addr", s.Addr())
	<-starving.now
	fmt.Println("starved")
	io.Copy(io.Discard, os.Stdin)
	timeout := patience
	if kind == "busy" {
		timeout = time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s.Stop(ctx)
	r := s.Report()
	fmt.Printf("report graceful=%v unaccepted=%d error=%v queued=%d took=%v\n",
		r.Graceful(), r.Unaccepted, r.AcceptErr, r.Queued, r.Duration)
}

// starvedLogger tells when an accept has failed because there were no descriptors.
type starvedLogger struct{ now chan struct{} }

func (l starvedLogger) LogEvent(e fxshutdown.Event) {
	if e, ok := e.(*fxshutdown.AcceptRetrying); ok && errors.Is(e.Err, syscall.EMFILE) {
		select {
		case l.now <- struct{}{}:
		default:
		}
	}
}
