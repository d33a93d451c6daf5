package fxshutdown_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A pipeListener listens in memory, for tests in a synctest bubble.
type pipeListener struct {
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
	pipe   func() (client, server net.Conn)
}

func newPipeListener() *pipeListener {
	return &pipeListener{queue: make(chan net.Conn, 1024), closed: make(chan struct{}), pipe: newPipe}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		// What a listener's accept queue holds is reset when it is closed.
		for {
			select {
			case c := <-l.queue:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

func (l *pipeListener) dial() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, errors.New("connection refused")
	default:
	}
	client, server := l.pipe()
	l.queue <- server
	return client, nil
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// newPipe is net.Pipe with buffers such as a socket has. Without buffers, two peers that
// close a TLS connection wait for each other's close_notify.
func newPipe() (client, server net.Conn) {
	a, b := newFlow(), newFlow()
	return &pipeConn{in: a, out: b}, &pipeConn{in: b, out: a}
}

// A pipeConn is one end of a pipe.
type pipeConn struct{ in, out *flow }

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

func (c *pipeConn) Close() error {
	c.in.close(&c.in.readerGone)
	c.out.close(&c.out.writerGone)
	return nil
}

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

func (c *pipeConn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *pipeConn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(&c.in.readBy, t) }
func (c *pipeConn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writeBy, t) }

// flowSize is how many bytes a flow holds before its writer waits.
const flowSize = 64 << 10

// A flow is one direction of a pipe.
type flow struct {
	mu         sync.Mutex // guards the fields below
	cond       *sync.Cond
	buf        []byte
	readerGone bool
	writerGone bool
	readBy     time.Time
	writeBy    time.Time
}

func newFlow() *flow {
	f := &flow{}
	f.cond = sync.NewCond(&f.mu)
	return f
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.readerGone:
			return 0, net.ErrClosed
		case over(f.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(f.buf) > 0:
			n := copy(p, f.buf)
			f.buf = f.buf[n:]
			f.cond.Broadcast()
			return n, nil
		case f.writerGone:
			return 0, io.EOF
		}
		f.cond.Wait()
	}
}

func (f *flow) write(p []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.writerGone:
			return n, net.ErrClosed
		case over(f.writeBy):
			return n, os.ErrDeadlineExceeded
		case f.readerGone:
			return n, syscall.EPIPE
		case n == len(p):
			return n, nil
		}
		if room := min(flowSize-len(f.buf), len(p)-n); room > 0 {
			f.buf = append(f.buf, p[n:n+room]...)
			n += room
			f.cond.Broadcast()
			continue
		}
		f.cond.Wait()
	}
}

func (f *flow) close(gone *bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*gone = true
	f.cond.Broadcast()
}

func (f *flow) setDeadline(by *time.Time, t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	*by = t
	f.cond.Broadcast()
	if d := time.Until(t); d > 0 {
		time.AfterFunc(d, func() { f.mu.Lock(); f.cond.Broadcast(); f.mu.Unlock() })
	}
	return nil
}

// over reports whether a deadline is set and past.
func over(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }
