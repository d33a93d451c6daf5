//go:build unix

package fxhttptableflip_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is a program that upgrades itself, in a directory of its own.
type service struct {
	dir, network, addr string
	pidFile            string
	client             *http.Client
	cmd                *exec.Cmd // the first process
	exited             chan struct{}
	log                *logLines
}

var buildOnce = sync.OnceValues(func() (string, error) {
	program := filepath.Join(programs, "service")
	out, err := exec.Command("go", "build", "-o", program, "./testdata/service").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return program, nil
})

// startService starts the program on an address of this network.
func startService(t *testing.T, network string) *service {
	t.Helper()
	program, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	s := newService(t, network)
	s.start(t, program, network, s.addr)
	return s
}

// newService makes the directory of one, and finds an address.
func newService(t *testing.T, network string) *service {
	t.Helper()
	dir, err := os.MkdirTemp("", "flip") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &service{dir: dir, network: network, addr: filepath.Join(dir, "socket"), pidFile: "pid", exited: make(chan struct{}), log: newLogLines()}
	if network == "tcp" {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.addr = ln.Addr().String()
		ln.Close()
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, s.network, s.addr)
	}}
	s.client = &http.Client{Transport: transport, Timeout: patience}
	return s
}

// start starts a program.
func (s *service) start(t *testing.T, program string, args ...string) {
	t.Helper()
	r, w, err := os.Pipe() // not one of exec's, which would wait for the successors
	if err != nil {
		t.Fatal(err)
	}
	go s.log.read(r)
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, w, w
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		s.touch(t, "go")
		select {
		case <-s.log.ended:
		default:
			if pid := s.pidInFile(); pid > 0 {
				syscall.Kill(pid, syscall.SIGTERM)
			}
			s.cmd.Process.Signal(syscall.SIGTERM)
		}
		select {
		case <-s.log.ended: // every process has
		case <-time.After(patience):
			s.cmd.Process.Kill()
			t.Error("a process has not ended")
		}
		if t.Failed() {
			t.Logf("output:\n%s", s.log.text())
		}
	})
	s.await(t, "a PID file", func() bool { return s.pidInFile() == s.cmd.Process.Pid })
}

// logLines is what the processes print.
type logLines struct {
	ended chan struct{} // closed when all processes have ended
	mu    sync.Mutex
	lines []string
}

func newLogLines() *logLines { return &logLines{ended: make(chan struct{})} }

func (l *logLines) read(r *os.File) {
	defer close(l.ended)
	defer r.Close()
	for scanner := bufio.NewScanner(r); scanner.Scan(); {
		l.mu.Lock()
		l.lines = append(l.lines, scanner.Text())
		l.mu.Unlock()
	}
}

func (l *logLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func (s *service) touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
		t.Error(err)
	}
}

func (s *service) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

func (s *service) pidInFile() int {
	b, _ := os.ReadFile(filepath.Join(s.dir, s.pidFile))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid
}

func (s *service) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s\n%s", what, s.log.text())
		}
	}
}

// awaitLog waits for n lines that contain text.
func (s *service) awaitLog(t *testing.T, text string, n int) {
	t.Helper()
	s.await(t, "line "+text, func() bool { return strings.Count(s.log.text(), text) >= n })
}

func (s *service) signal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// get returns the process that has answered.
func (s *service) get(path string) (pid int, err error) {
	resp, err := s.client.Get("http://localhost" + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

func (s *service) wantServedBy(t *testing.T, pid int) {
	t.Helper()
	if got, err := s.get("/"); err != nil || got != pid {
		t.Errorf("served by %d, %v, want %d", got, err, pid)
	}
}

// hold sends a request that is answered when the file "go" is there.
func (s *service) hold(t *testing.T) (answer chan error) {
	t.Helper()
	answer = make(chan error, 1)
	pid := s.pidInFile()
	c, err := net.Dial(s.network, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer c.Close()
		b, err := io.ReadAll(c)
		if err == nil && !strings.HasSuffix(string(b), strconv.Itoa(pid)) {
			err = errors.New("answer " + string(b))
		}
		answer <- err
	}()
	s.wantServedBy(t, pid) // it has been accepted: the queue is in order
	return answer
}

// alive reports whether a process runs. One that nobody has reaped yet does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return syscall.Kill(pid, 0) == nil && (err != nil || !strings.Contains(string(stat), ") Z "))
}

func TestUpgrade(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			s := startService(t, network)
			first := s.cmd.Process.Pid
			held := s.hold(t)
			s.signal(t, first, syscall.SIGHUP)
			s.await(t, "successor", func() bool { return s.pidInFile() != first })
			second := s.pidInFile()
			s.awaitLog(t, "http server closed its listener", 1)
			for range 10 {
				s.wantServedBy(t, second)
			}
			if !alive(first) {
				t.Fatal("the first process has not waited for its request")
			}

			// One that drains is not killed by the signal, and the next upgrade waits
			// for its end.
			s.signal(t, first, syscall.SIGHUP)
			s.signal(t, second, syscall.SIGHUP)
			s.awaitLog(t, "fxhttptableflip: upgrading", 2)
			s.wantServedBy(t, second)
			s.touch(t, "go")
			if err := <-held; err != nil {
				t.Errorf("the request that ran: %v", err)
			}
			<-s.exited
			if code := s.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("the first process has ended with %d", code)
			}
			s.await(t, "third process", func() bool { return s.pidInFile() != second })
			s.await(t, "end of the second", func() bool { return !alive(second) })
			s.wantServedBy(t, s.pidInFile())
			if text := s.log.text(); strings.Count(text, `delay_skipped="a successor already has the listener"`) != 2 {
				t.Error("a predecessor has waited for its ShutdownDelay")
			}
		})
	}
}

// A successor that fails leaves all as it was.
func TestUpgradeFails(t *testing.T) {
	for _, how := range []string{"fail", "fail-port"} {
		t.Run(how, func(t *testing.T) {
			s := startService(t, "unix")
			pid := s.cmd.Process.Pid
			s.touch(t, how)
			s.signal(t, pid, syscall.SIGHUP)
			s.awaitLog(t, "fxhttptableflip: this process serves on", 1)
			s.wantServedBy(t, pid)
			if s.pidInFile() != pid {
				t.Error("the PID file names somebody else")
			}
			os.Remove(filepath.Join(s.dir, how))
			s.signal(t, pid, syscall.SIGHUP)
			s.await(t, "successor", func() bool { return s.pidInFile() != pid })
			<-s.exited
			s.wantServedBy(t, s.pidInFile())
		})
	}
}

// At the last stop the socket is closed, and not only one of its descriptors: nobody
// waits in a queue that is reset by the end of the process.
func TestLastStop(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, upgraded := range []bool{false, true} {
			t.Run(network+map[bool]string{true: "/Upgraded"}[upgraded], func(t *testing.T) {
				s := startService(t, network)
				if upgraded {
					s.signal(t, s.pidInFile(), syscall.SIGHUP)
					<-s.exited
				}
				before := 0 // predecessors, which share the socket
				if upgraded {
					before = 1
				}
				held := s.hold(t)
				s.signal(t, s.pidInFile(), syscall.SIGTERM)
				s.awaitLog(t, "http server closed its listener", before+1)
				if n := strings.Count(s.log.text(), "shared=true"); n != before {
					t.Errorf("%d processes took the socket for somebody else's too, want %d", n, before)
				}
				if c, err := net.Dial(network, s.addr); err == nil {
					c.Close()
					t.Error("a client was let into a queue that nobody empties")
				}
				s.touch(t, "go")
				if err := <-held; err != nil {
					t.Errorf("the request that ran: %v", err)
				}
				<-s.log.ended
				if network == "unix" && s.exists("socket") {
					t.Error("the file of the socket is still there")
				}
			})
		}
	}
}

// TestExample runs the program that users copy, on a port that is free.
func TestExample(t *testing.T) {
	s := newService(t, "tcp")
	source, err := os.ReadFile("example/main.go")
	if err != nil {
		t.Fatal(err)
	}
	main, program := filepath.Join(s.dir, "main.go"), filepath.Join(s.dir, "program")
	if err := os.WriteFile(main, []byte(strings.Replace(string(source), "127.0.0.1:8080", s.addr, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", program, main).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.pidFile = "example.pid"
	s.start(t, program)
	for range 2 {
		pid := s.pidInFile()
		s.signal(t, pid, syscall.SIGHUP)
		s.await(t, "successor", func() bool { return s.pidInFile() != pid })
		s.await(t, "end of the predecessor", func() bool { return !alive(pid) })
		resp, err := s.client.Post("http://localhost/", "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(b) != "hello\n" {
			t.Errorf("answer %q", b)
		}
	}
}
