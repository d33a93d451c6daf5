package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Command returns the command line of a server that is to listen on addr.
type Command func(addr string) []string

// A Server is a running program.
type Server struct {
	Addr string

	cmd    *exec.Cmd
	output *tail

	exited chan struct{} // closed when the program has ended
	at     time.Time     // when; valid once exited is closed
}

// readyWithin bounds how long a program may take until it listens.
const readyWithin = 10 * time.Second

// Start runs the command and returns once it accepts connections. The caller calls Kill when done.
func Start(ctx context.Context, command Command) (*Server, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	argv := command(addr)
	s := &Server{
		Addr:   addr,
		cmd:    exec.Command(argv[0], argv[1:]...),
		output: &tail{},
		exited: make(chan struct{}),
	}
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	// If something that the program started held its output, Wait would not return.
	s.cmd.WaitDelay = time.Second
	isolate(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // what it says is in ProcessState
		s.at = time.Now()
	}()
	if err := s.ready(ctx); err != nil {
		s.Kill()
		return nil, fmt.Errorf("%s: %w; it printed %q", argv, err, s.output)
	}
	return s, nil
}

func (s *Server) ready(ctx context.Context) error {
	for end := time.Now().Add(readyWithin); time.Now().Before(end); {
		c, err := net.Dial("tcp", s.Addr)
		if err == nil {
			return c.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended: %v", s.cmd.ProcessState)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("it did not listen within %v", readyWithin)
}

// ErrStillRunning is returned by Wait.
var ErrStillRunning = errors.New("still running")

// Terminate sends the stop signal and returns when it did so.
func (s *Server) Terminate() (time.Time, error) {
	now := time.Now()
	return now, s.cmd.Process.Signal(syscall.SIGTERM)
}

// Wait returns when the program exited. If it did not do so within the time, the error is ErrStillRunning.
func (s *Server) Wait(ctx context.Context, within time.Duration) (time.Time, error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-s.exited:
		return s.at, nil
	case <-timer.C:
		return time.Now(), ErrStillRunning
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// Kill ends the program at once, if it is still running, and waits for its end.
func (s *Server) Kill() {
	kill(s.cmd)
	<-s.exited
}

// Output is the end of what the program printed.
func (s *Server) Output() string { return s.output.String() }

// Ports below those that a system gives to clients, so that no client of a run before can have taken one.
const firstPort, ports = 21000, 9000

var nextPort atomic.Uint32

func init() {
	// Two runs at a time should not start with the same port.
	nextPort.Store(uint32(os.Getpid()))
}

// FreeAddr returns an address of the loopback interface on which nothing listens. It is a different one each time, so
// that what earlier connections left in the kernel does not disturb.
func FreeAddr() (string, error) {
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%ports)
		var ln net.Listener
		if ln, err = net.Listen("tcp", addr); err == nil {
			return addr, ln.Close()
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(b []byte) (int, error) {
	const size = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - size; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
