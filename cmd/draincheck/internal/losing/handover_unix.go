//go:build unix

package losing

import (
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// upgradeSignals make a successor take over.
var upgradeSignals = []os.Signal{syscall.SIGHUP}

// inheritEnv says that descriptor 3 is a listener, and 4 a pipe to close when it serves.
const inheritEnv = "DRAINCHECK_LOSING_INHERITS"

// inherited is the listener that a predecessor has left to this process, nil without one.
func inherited() (net.Listener, error) {
	if os.Getenv(inheritEnv) == "" {
		return nil, nil
	}
	f := os.NewFile(3, "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	os.NewFile(4, "ready").Close()
	return l, err
}

// handOver starts a successor on the same listener, and then says goodbye to every
// client. What is in the queue is the successor's.
func (s *server) handOver(accepted <-chan struct{}) error {
	f, err := s.listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), inheritEnv+"=1")
	cmd.ExtraFiles = []*os.File{f, w}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	w.Close()
	io.Copy(io.Discard, r)
	s.listener.SetDeadline(time.Unix(1, 0))
	<-accepted
	close(s.draining)
	s.conns.Wait()
	return nil
}
