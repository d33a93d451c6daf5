package fxhttpsystemd_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/fxshutdown/fxhttp"
	fxhttpsystemd "github.com/fxshutdown/fxhttp/systemd"
)

func TestNotify(t *testing.T) {
	// READY=1 is the last of the start, STOPPING=1 the first of the stop.
	t.Run("Order", func(t *testing.T) {
		m := newManager(t)
		a := newApp(t,
			serve(hello),
			fxhttp.Module(fxhttp.WithName("second"), fxhttp.WithAddr("127.0.0.1:0"), fxhttp.WithHandler(hello)),
			fx.Invoke(func(lc fx.Lifecycle) {
				lc.Append(fx.StartStopHook(func() { m.mark("STARTED") }, func() { m.mark("STOPPED") }))
			}),
			fxhttpsystemd.Module())
		a.mustStart(t)
		m.want(t, "STARTED")
		status := m.want(t, "READY=1")
		if want := "STATUS=serves: the http server on tcp " + a.server.Addr().String() + `, the http server "second" on tcp 127.0.0.1:`; len(status) != 1 || !strings.HasPrefix(status[0], want) {
			t.Errorf("READY=1 came with %q, want %q", status, want)
		}
		resp, err := http.Get("http://" + a.server.Addr().String())
		if err != nil {
			t.Fatalf("READY=1 was sent, but: %v", err)
		}
		resp.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if err := a.stop(5 * time.Second); err != nil {
			t.Errorf("Stop() = %v", err)
		}
		rest := m.want(t, "STOPPING=1")
		if len(rest) != 2 || !strings.HasPrefix(rest[0], "STATUS=stopping: ") {
			t.Fatalf("STOPPING=1 came with %q, want a STATUS and a time", rest)
		}
		m.until(t, "STOPPED")

		// What fx.StopTimeout leaves, and a second for the exit.
		usec, ok := strings.CutPrefix(rest[1], "EXTEND_TIMEOUT_USEC=")
		n, err := strconv.Atoi(usec)
		if d := time.Duration(n) * time.Microsecond; !ok || err != nil || d <= time.Second || d > 6*time.Second {
			t.Errorf("%q, want a time of at most 6 s", rest[1])
		}
	})

	// Whatever begins it.
	t.Run("Shutdowner", func(t *testing.T) {
		m := newManager(t)
		var shutdowner fx.Shutdowner
		a := newApp(t, serve(hello), fxhttpsystemd.Module(), fx.Populate(&shutdowner))
		a.mustStart(t)
		m.want(t, "READY=1")
		if err := shutdowner.Shutdown(); err != nil {
			t.Fatal(err)
		}
		<-a.Done()
		a.stop(patience)
		m.want(t, "STOPPING=1")
	})

	t.Run("Nobody", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "")
		a := newApp(t, serve(hello), fxhttpsystemd.Module())
		a.mustStart(t)
		if err := a.stop(patience); err != nil {
			t.Errorf("Stop() = %v", err)
		}
	})

	t.Run("Unreachable", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "/nonexistent/notify")
		wantError(t, newApp(t, serve(hello), fxhttpsystemd.Module()).start(), "READY=1", "/nonexistent/notify")
	})

	// A manager that does not read holds up neither start nor stop.
	t.Run("Deaf", func(t *testing.T) {
		m := newManager(t)
		a := newApp(t, serve(hello), fxhttpsystemd.Module())
		a.mustStart(t)
		for { // the queue of the socket is short
			c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, err = c.Write([]byte("X"))
			c.Close()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
		}
		began := time.Now()
		if err := a.stop(patience); err != nil || time.Since(began) > patience/2 {
			t.Errorf("Stop() = %v in %v", err, time.Since(began))
		}
	})

	t.Run("ListedTooEarly", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "")
		wantError(t, newApp(t, fxhttpsystemd.Module(), serve(hello)).start(), "the http server would start after READY=1", "after every fxhttp.Module")
	})
}

func TestWatchdog(t *testing.T) {
	watch := func(t *testing.T, usec string) *manager {
		t.Setenv("WATCHDOG_USEC", usec)
		t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
		return newManager(t)
	}

	// What a Health says decides, until the stop begins.
	t.Run("Health", func(t *testing.T) {
		m := watch(t, "100000")
		var fails, asked atomic.Int32
		held := make(chan struct{})
		begun := make(chan struct{})
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { close(begun); <-held })
		a := newApp(t, serve(handler), fxhttpsystemd.Module(), fxhttpsystemd.AsHealth(func() fxhttpsystemd.Health {
			return func(ctx context.Context) error {
				if d, ok := ctx.Deadline(); !ok || time.Until(d) > 25*time.Millisecond {
					m.mark("NO DEADLINE")
				}
				switch n := fails.Load(); {
				case n == 0:
					return nil
				case asked.Add(1) == 1:
					m.mark("FAILS")
				case asked.Load() == 3:
					m.mark("STILL")
				}
				if fails.Load() == 2 {
					panic("unwell")
				}
				return errors.New("unwell")
			}
		}))
		a.mustStart(t)
		m.want(t, "READY=1")
		for range 3 {
			m.want(t, "WATCHDOG=1")
		}
		for _, how := range []int32{1, 2} {
			asked.Store(0)
			fails.Store(how)
			m.until(t, "FAILS")
			if got := m.until(t, "STILL"); len(got) > 0 {
				t.Errorf("an app that is not well has sent %q", got)
			}
			fails.Store(0)
			m.until(t, "WATCHDOG=1")
		}

		go func() {
			resp, err := http.Get("http://" + a.server.Addr().String())
			if err == nil {
				resp.Body.Close()
			}
			http.DefaultClient.CloseIdleConnections()
		}()
		<-begun
		stopped := make(chan error)
		go func() { stopped <- a.stop(patience) }()
		m.until(t, "STOPPING=1")
		asked.Store(10)
		fails.Store(1)
		for range 10 {
			m.until(t, "WATCHDOG=1")
		}
		m.until(t, "STATUS=stopping: 1 requests in flight")
		close(held)
		if err := <-stopped; err != nil {
			t.Errorf("Stop() = %v", err)
		}
	})

	// A server that has failed is not well.
	t.Run("Server", func(t *testing.T) {
		m := watch(t, "100000")
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a := newApp(t, fxhttp.Module(fxhttp.WithListener(ln), fxhttp.WithHandler(hello)), fxhttpsystemd.Module(),
			fxhttpsystemd.AsHealth(func() fxhttpsystemd.Health {
				return func(context.Context) error { m.mark("ASKED"); return nil }
			}))
		a.mustStart(t)
		m.until(t, "WATCHDOG=1")
		ln.Close()
		<-a.server.Done()
		m.until(t, "ASKED") // that one may have begun before
		for range 3 {
			if got := m.until(t, "ASKED"); len(got) > 1 || len(got) == 1 && got[0] != "WATCHDOG=1" {
				t.Fatalf("messages %q", got)
			} else if len(got) == 0 {
				return
			}
		}
		t.Error("WATCHDOG=1 is sent for a server that has failed")
	})

	t.Run("NotOurs", func(t *testing.T) {
		m := watch(t, "1000")
		t.Setenv("WATCHDOG_PID", "1")
		a := newApp(t, serve(hello), fxhttpsystemd.Module())
		a.mustStart(t)
		m.want(t, "READY=1")
		time.Sleep(50 * time.Millisecond)
		a.stop(patience)
		m.want(t, "STOPPING=1")
	})

	t.Run("Wrong", func(t *testing.T) {
		watch(t, "soon")
		wantError(t, newApp(t, serve(hello), fxhttpsystemd.Module()).start(), "WATCHDOG_USEC", "soon")
	})
}
