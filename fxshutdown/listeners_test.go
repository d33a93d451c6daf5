package fxshutdown_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// listen opens a listener that is closed at the end of the test.
func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

var errOdd = errors.New("an odd error")

// faultyListener returns the errors in fail from Accept, each after the
// connection that comes next.
type faultyListener struct {
	net.Listener
	fail  chan error
	close error // what Close returns, after it has closed
}

func (l *faultyListener) Accept() (net.Conn, error) {
	select {
	case err := <-l.fail:
		return nil, err
	default:
		return l.Listener.Accept()
	}
}

func (l *faultyListener) Close() error {
	if err := l.Listener.Close(); err != nil {
		return err
	}
	return l.close
}

// flakyListener returns err from Accept while it is failing. If a connection wakes it
// then, it keeps that connection.
type flakyListener struct {
	*pipeListener
	err     error
	failing atomic.Bool
	asked   atomic.Int64
	kept    []net.Conn // owned by the goroutine that accepts
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failing.Load() {
		l.asked.Add(1)
		return nil, l.err
	}
	c, err := l.pipeListener.Accept()
	if err == nil && l.failing.Load() {
		l.asked.Add(1)
		l.kept = append(l.kept, c)
		return nil, l.err
	}
	return c, err
}

func (l *flakyListener) Close() error {
	for _, c := range l.kept {
		c.Close()
	}
	return l.pipeListener.Close()
}

// recordingListener accepts recordingConns.
type recordingListener struct {
	net.Listener
	mu    sync.Mutex // guards conns
	conns []*recordingConn
}

func (l *recordingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	rc := &recordingConn{TCPConn: c.(*net.TCPConn)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, rc)
	return rc, nil
}

func (l *recordingListener) accepted() []*recordingConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.conns)
}

// recordingConn records what it is asked to read from.
type recordingConn struct {
	*net.TCPConn
	mu    sync.Mutex // guards calls
	calls []string
}

func (c *recordingConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	src := fmt.Sprintf("%T", r)
	for lr, ok := r.(*io.LimitedReader); ok; lr, ok = lr.R.(*io.LimitedReader) {
		src += fmt.Sprintf(" of %T", lr.R)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, fmt.Sprint(src, " ", n, " ", err))
	return n, err
}

func (c *recordingConn) reads() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}
