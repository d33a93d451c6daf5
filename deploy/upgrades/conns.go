//go:build unix

package upgrades

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
)

// conns are the connections of a process, and the way to its successor.
type conns struct {
	handing atomic.Bool

	mu   sync.Mutex // guards what follows
	open map[*conn]bool
	to   *net.UnixConn
	gave int
}

func (s *conns) isHanding() bool { return s.handing.Load() }

func (s *conns) add(tc *net.TCPConn) *conn {
	c := &conn{TCPConn: tc, set: s, waiting: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
	return c
}

func (s *conns) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// hand begins to hand over.
func (s *conns) hand(to *net.UnixConn) {
	s.mu.Lock()
	s.to = to
	all := make([]*conn, 0, len(s.open))
	for c := range s.open {
		all = append(all, c)
	}
	s.mu.Unlock()
	s.handing.Store(true)
	for _, c := range all {
		c.wake()
	}
}

// give sends a descriptor to the successor. The kernel keeps the connection as long as
// either process has one.
func (s *conns) give(c *net.TCPConn) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	controlErr := rc.Control(func(fd uintptr) {
		_, _, err = s.to.WriteMsgUnix([]byte{1}, syscall.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(controlErr, err); err == nil {
		s.gave++
	}
	return err
}

// receive gets what a predecessor gives until that has ended.
func receive(from *net.UnixConn, got func(*net.TCPConn)) error {
	b, oob := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
	for {
		n, oobn, _, _, err := from.ReadMsgUnix(b, oob)
		if err != nil || n == 0 {
			return err
		}
		messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return err
		}
		for i := range messages {
			fds, err := syscall.ParseUnixRights(&messages[i])
			if err != nil {
				return err
			}
			for _, fd := range fds {
				f := os.NewFile(uintptr(fd), "connection")
				c, err := net.FileConn(f)
				f.Close()
				if err != nil {
					return err
				}
				got(c.(*net.TCPConn))
			}
		}
	}
}

// listener accepts what clients open, and what a predecessor gives.
type listener struct {
	*net.TCPListener
	set   *conns
	ready chan *conn
	ended chan struct{} // closed when the socket is
}

func newListener(l *net.TCPListener, set *conns) *listener {
	ln := &listener{TCPListener: l, set: set, ready: make(chan *conn), ended: make(chan struct{})}
	go func() {
		defer close(ln.ended)
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			ln.ready <- set.add(c)
		}
	}()
	return ln
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}
