package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestNew checks that New names the settings that it rejects, and touches nothing.
func TestNew(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  fxshutdown.Config
		want []string
	}{
		{"Network", fxshutdown.Config{Network: "udp"}, []string{"Network"}},
		{"RequestGrace", fxshutdown.Config{RequestGrace: time.Millisecond}, []string{"RequestGrace", "IdleGrace"}},
		{"DrainTimeout", fxshutdown.Config{DrainTimeout: time.Second, RequestGrace: time.Second, HijackGrace: time.Minute},
			[]string{"RequestGrace", "HijackGrace", "DrainTimeout"}},
		{"ListenerAndNetwork", fxshutdown.Config{Network: "tcp", Listener: newPipeListener()}, []string{"Network", "Listener"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := fxshutdown.New(&http.Server{}, test.cfg)
			if err == nil {
				t.Fatal("New() = nil, want an error")
			}
			for _, field := range test.want {
				if !strings.Contains(err.Error(), field) {
					t.Errorf("New() = %v, want %s named", err, field)
				}
			}
		})
	}
	t.Run("NilServer", func(t *testing.T) {
		if s, err := fxshutdown.New(nil, fxshutdown.Config{}); err == nil {
			t.Errorf("New(nil) = %v, nil; want an error", s)
		}
	})
	t.Run("TouchesNothing", func(t *testing.T) {
		srv := &http.Server{}
		if _, err := fxshutdown.New(srv, fxshutdown.Config{}); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%#v", srv), fmt.Sprintf("%#v", &http.Server{}); got != want {
			t.Errorf("New changed the http.Server: %s", got)
		}
	})
}

func TestStartErrorThenRestart(t *testing.T) {
	busy := listen(t, "tcp", "127.0.0.1:0")
	at := busy.Addr().String()
	s := newServer(t, h1, hello, addr(at))
	for range 3 {
		err := s.Start(context.Background())
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Fatalf("Start() on a busy port = %v, want an error that names %s", err, at)
		}
		if s.Addr() != nil || isClosed(s.Done()) || s.Err() != nil {
			t.Errorf("after a failed Start: Addr() = %v, Done closed: %v, Err() = %v", s.Addr(), isClosed(s.Done()), s.Err())
		}
	}
	busy.Close()
	s.start()
	s.get(s.client(), "/").want(t, "hello")
	s.states.wait(t, http.StateIdle, 1)
	s.mustStop()
	s.wantReport(account{})
}

// A listener that Config brought stays open when Start fails.
func TestStartErrorLeavesListenerOpen(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	s := newServer(t, https1, hello, on(l), func(srv *http.Server, _ *fxshutdown.Config) { srv.TLSConfig = nil })
	if err := s.Start(context.Background()); err == nil {
		t.Fatal("Start() with TLS and no certificate = nil")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err != nil {
			t.Errorf("the listener after a failed Start: %v", err)
		} else {
			c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	receive(t, "Accept", done)
}

// The context of Start bounds only the binding.
func TestStartContext(t *testing.T) {
	t.Run("EndsTheBinding", func(t *testing.T) {
		resolving, leave := holdResolver(t)
		defer leave()
		s := newServer(t, h1, hello, addr("held.invalid:0"))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Start(ctx) }()
		receive(t, "the resolver", resolving)
		cancel()
		if err := receive(t, "Start()", done); err == nil || errors.Is(err, fxshutdown.ErrStopped) {
			t.Errorf("Start() with a cancelled context = %v, want the context's error", err)
		}
		if isClosed(s.Done()) {
			t.Error("Done() is closed after a failed Start")
		}
	})
	t.Run("EndedBefore", func(t *testing.T) {
		s := newServer(t, h1, hello)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := s.Start(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Start() with a cancelled context = %v, want the context's error", err)
		}
		s.start() // It may be tried again.
	})
	t.Run("NotTheServing", func(t *testing.T) {
		s := newServer(t, h1, hello)
		ctx, cancel := context.WithCancel(context.Background())
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		s.get(s.client(), "/").want(t, "hello")
		s.mustStop()
	})
}

// A server that is stopped before it served closes its channels: nobody is left waiting
// for the drain.
func TestDrainingWithoutStart(t *testing.T) {
	for name, stop := range map[string]func(*server) error{
		"Stop":           (*server).stop,
		"Close":          func(s *server) error { return s.Close() },
		"ServerShutdown": func(s *server) error { return errors.Join(s.http.Shutdown(context.Background()), s.stop()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, h1, hello)
			if err := stop(s); err != nil {
				t.Errorf("%s() = %v, want nil", name, err)
			}
			receive(t, "Done()", s.Done())
			if !isClosed(s.Draining()) || !isClosed(s.Unready()) {
				t.Error("Draining() or Unready() is open after a stop, want both closed")
			}
			if r := s.Report(); !r.Graceful() {
				t.Errorf("Report() = %+v, want it graceful: there was nothing to cut", r)
			}
		})
	}
}

// A stop in the middle of a Start that then fails is a stop all the same.
func TestStopBeforeStartFails(t *testing.T) {
	s := newServer(t, h1, hello)
	stopped := make(chan error, 1)
	s.http.BaseContext = func(net.Listener) context.Context {
		go func() { stopped <- s.stop() }()
		eventually(t, "the stop has begun", func() bool { return !s.Report().Began.IsZero() })
		return nil
	}
	if err := s.Start(context.Background()); !errors.Is(err, fxshutdown.ErrStopped) {
		t.Errorf("Start() = %v, want ErrStopped", err)
	}
	wantStopped(t, stopped)
	if r := s.Report(); !r.Graceful() {
		t.Errorf("Report() = %+v, want it graceful: there was nothing to cut", r)
	}
}

// Start and a Shutdown of the given server run at once: its hook is told nothing about
// the sentinel.
func TestShutdownDuringStart(t *testing.T) {
	for range 200 {
		s := newServer(t, h1, hello)
		var wg sync.WaitGroup
		wg.Go(func() { s.http.Shutdown(context.Background()) })
		wg.Go(func() {
			if err := s.Start(context.Background()); err != nil && !errors.Is(err, fxshutdown.ErrStopped) {
				t.Errorf("Start() = %v, want nil or ErrStopped", err)
			}
		})
		wg.Wait()
		s.mustStop()
		if seen := s.states.conns(); len(seen) > 0 {
			t.Fatalf("ConnState saw %v, without any client", seen)
		}
	}
}

// Start and Stop run at once: whichever wins, the server is stopped, nothing is left, and
// Start says what happened.
func TestStopDuringStart(t *testing.T) {
	for range 200 {
		s := newServer(t, h1, hello)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Start(context.Background()); err != nil && !errors.Is(err, fxshutdown.ErrStopped) {
				t.Errorf("Start() = %v, want nil or ErrStopped", err)
			}
		})
		wg.Go(s.mustStop)
		wg.Wait()
		receive(t, "Done()", s.Done())
		if a := s.Addr(); a != nil {
			if c, err := net.Dial(a.Network(), a.String()); err == nil {
				c.Close()
				t.Error("a dial after Stop: connected, want it refused")
			}
		}
	}
}

// An http.Server has one Server. The second is told so, and does the first no harm.
func TestSameServerTwice(t *testing.T) {
	s := start(t, h1, hello)
	second, err := fxshutdown.New(s.http, fxshutdown.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := second.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "another Server") {
			t.Fatalf("Start() of the second Server = %v, want an error that names another Server", err)
		}
		s.get(s.client(), "/").want(t, "hello")
	}
	s.mustStop()
	if err := second.Start(context.Background()); !errors.Is(err, fxshutdown.ErrStopped) {
		t.Errorf("Start() after the first Server's stop = %v, want ErrStopped", err)
	}
}

// holdResolver holds every look-up of a name until leave is called, so that Start waits
// for its address. resolving receives a value for each look-up.
func holdResolver(t *testing.T) (resolving <-chan struct{}, leave func()) {
	entered, released := make(chan struct{}, 100), make(chan struct{})
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		entered <- struct{}{}
		select {
		case <-released:
		case <-ctx.Done():
		}
		return nil, errors.New("no name server")
	}}
	var once sync.Once
	t.Cleanup(func() { net.DefaultResolver = before })
	return entered, func() { once.Do(func() { close(released) }) }
}
