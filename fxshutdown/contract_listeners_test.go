package fxshutdown_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// listenerScenarios are about listeners that misbehave.
var listenerScenarios = []scenario{
	// A listener that is out of descriptors for a while is asked again, and served then.
	{"Temporary", bubbles, allModes, func(t *testing.T, m mode) {
		l := &flakyListener{pipeListener: newPipeListener(), err: emfile}
		l.failing.Store(true)
		s := start(t, m, hello, on(l))
		got := s.goGet(s.client(), "/")
		time.Sleep(30 * time.Second)
		pending(t, "a response", got)
		if isClosed(s.Done()) {
			t.Fatalf("Done() is closed by a temporary error: %v", s.Err())
		}
		e := event[*fxshutdown.AcceptRetrying](s)
		if !errors.Is(e.Err, syscall.EMFILE) || e.Delay <= 0 {
			t.Errorf("AcceptRetrying = %+v, want EMFILE and a delay", e)
		}
		if n := l.asked.Load(); n < 10 || n > 10_000 {
			t.Errorf("asked %d times in 30s, want now and then", n)
		}
		l.failing.Store(false)
		time.Sleep(2 * time.Second)
		(<-got).want(t, "hello")
		s.mustStop()
	}},

	// A stop in the meantime does not wait for the listener.
	{"TemporaryDuringStop", bubbles, h1Modes, func(t *testing.T, m mode) {
		l := &flakyListener{pipeListener: newPipeListener(), err: emfile}
		s := start(t, m, hello, on(l))
		s.get(s.client(), "/").want(t, "hello")
		l.failing.Store(true)
		s.dial(context.Background())
		time.Sleep(30 * time.Second)
		s.mustStopIn(0, bound)
		if r := s.Report(); !errors.Is(r.AcceptErr, syscall.EMFILE) || r.Graceful() {
			t.Errorf("Report() = %+v, want EMFILE, not graceful", r)
		}
		if e := event[*fxshutdown.ListenerClosed](s); !errors.Is(e.AcceptErr, syscall.EMFILE) {
			t.Errorf("ListenerClosed = %+v, want EMFILE", e)
		}
	}},

	// A listener that fails for good does not drop the clients that are served.
	{"Final/Odd", bubbles, allModes, final(errOdd)},
	{"Final/Closed", bubbles, allModes, final(net.ErrClosed)},
	{"Final/EOF", bubbles, allModes, final(io.EOF)},
	{"Final/Timeout", bubbles, allModes, final(os.ErrDeadlineExceeded)},

	// The error of a listener's Close is reported, but is not an error of Stop.
	{"CloseFails", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, on(&faultyListener{Listener: listen(t, "tcp", "127.0.0.1:0"), close: errOdd}))
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
		if r := s.Report(); !errors.Is(r.ListenerErr, errOdd) || !r.Graceful() {
			t.Errorf("Report() = %+v, want ListenerErr %v, graceful", r, errOdd)
		}
		if e := event[*fxshutdown.ListenerClosed](s); !errors.Is(e.Err, errOdd) {
			t.Errorf("ListenerClosed = %+v, want %v", e, errOdd)
		}
	}},

	// A listener that somebody else closed has failed once, and does not fail again when
	// the stop closes it.
	{"ClosedByOthers", together, []mode{h1}, func(t *testing.T, m mode) {
		l := listen(t, "tcp", "127.0.0.1:0")
		s := start(t, m, hello, on(l))
		l.Close()
		receive(t, "Done()", s.Done())
		s.mustStop()
		if !errors.Is(s.Err(), net.ErrClosed) {
			t.Errorf("Err() = %v, want net.ErrClosed", s.Err())
		}
		if r := s.Report(); r.ListenerErr != nil {
			t.Errorf("Report().ListenerErr = %v, want nil", r.ListenerErr)
		}
	}},

	// A TCP listener may hide its SetDeadline.
	{"NoSetDeadline", together, allModes, func(t *testing.T, m mode) {
		s := start(t, m, hello, on(struct{ net.Listener }{listen(t, "tcp", "127.0.0.1:0")}), idleGrace(patience))
		const n = 32
		conns := make([]net.Conn, n)
		for i := range conns {
			conns[i] = s.socket()
		}
		done := s.stopIn(0)
		for _, c := range conns {
			c.Close()
		}
		wantStopped(t, done)
		if st := s.Stats(); st.Accepted != n {
			t.Errorf("Stats().Accepted = %d, want all %d that were connected", st.Accepted, n)
		}
	}},

	// No lock is held while the listener is asked for its address.
	{"AddrAsksTheServer", together, []mode{h1}, func(t *testing.T, m mode) {
		l := &askingListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
		s := newServer(t, m, hello, on(l))
		l.ask = func() { s.Stats() }
		started := make(chan error, 1)
		go func() { started <- s.Start(context.Background()) }()
		if err := receive(t, "Start()", started); err != nil {
			t.Errorf("Start() = %v, want nil", err)
		}
		s.get(s.client(), "/").want(t, "hello")
	}},

	// A listener whose Close does not wake Accept does not hold the stop.
	{"CloseDoesNotWake", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		l := &sleepyListener{pipeListener: newPipeListener(), wake: make(chan struct{})}
		s := start(t, m, hello, on(l))
		s.get(s.client(), "/").want(t, "hello")
		d, err := s.timeStop(time.Second)
		if err != nil {
			t.Errorf("Stop() = %v, want nil: no request ran", err)
		}
		took(t, "Stop()", d, 0, time.Second)
		close(l.wake)
	}},
}

// emfile is what Accept returns when the process is out of descriptors.
var emfile = &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}

// final returns a scenario with a listener that fails for good.
func final(err error) func(*testing.T, mode) {
	return func(t *testing.T, m mode) {
		l := &flakyListener{pipeListener: newPipeListener(), err: err}
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, on(l))
		c := s.client()
		got := s.goGet(c, "/slow")
		g.waitEntered(t, 1)
		l.failing.Store(true)
		s.dial(context.Background()) // Wakes Accept.
		time.Sleep(time.Minute)
		if err == os.ErrDeadlineExceeded {
			return // The server does not judge whether it may pass.
		}
		if !isClosed(s.Done()) {
			t.Fatal("Done() is open after the listener failed for good")
		}
		if !errors.Is(s.Err(), err) {
			t.Errorf("Err() = %v, want %v", s.Err(), err)
		}
		if e := event[*fxshutdown.ServeFailed](s); !errors.Is(e.Err, err) {
			t.Errorf("ServeFailed = %+v, want %v", e, err)
		}
		if got := readiness(s.Server); got != http.StatusServiceUnavailable {
			t.Errorf("ReadyHandler() = %d, want 503", got)
		}
		// Connections that are open stay served until Stop.
		g.open()
		(<-got).want(t, "hello")
		s.get(c, "/quick").want(t, "hello")
		s.mustStopIn(0, bound)
		if !errors.Is(s.Err(), err) {
			t.Errorf("Err() after Stop = %v, want %v still", s.Err(), err)
		}
	}
}

// askingListener asks the server while the server asks it.
type askingListener struct {
	net.Listener
	ask func()
}

func (l *askingListener) Addr() net.Addr {
	if l.ask != nil {
		l.ask()
	}
	return l.Listener.Addr()
}

// sleepyListener goes on accepting after it was closed, until wake is closed.
type sleepyListener struct {
	*pipeListener
	wake chan struct{}
}

func (l *sleepyListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.wake:
		return nil, net.ErrClosed
	}
}
