package fxhttpsystemd_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/internal/systemdns"
)

// realManager starts a systemd of the test's own with these units, and the testdata
// service as /run/bin/app.
func realManager(t *testing.T, units map[string]string) *systemdns.Manager {
	t.Helper()
	if err := systemdns.Check(); err != nil {
		if os.Getenv("CI") != "" && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir, err := os.MkdirTemp("", "systemdns")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	build(t, filepath.Join(bin, "app"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := systemdns.Start(ctx, dir, units)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if output := m.Close(); t.Failed() {
			t.Log(output)
		}
	})
	return m
}

func ctl(t *testing.T, m *systemdns.Manager, args ...string) {
	t.Helper()
	if _, err := m.Ctl(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

func show(t *testing.T, m *systemdns.Manager, property string) string {
	t.Helper()
	value, err := m.Show(t.Context(), "app.service", property)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSystemd has a real systemd run the service.
func TestSystemd(t *testing.T) {
	addr := freeAddr(t, "127.0.0.1:0")
	socket := "[Socket]\nListenStream=" + addr + "\nFileDescriptorName=http\n"
	service := func(more string) string {
		return "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nExecStart=/run/bin/app http\n" + more
	}

	// It is ready when start returns, and says so.
	t.Run("Notify", func(t *testing.T) {
		m := realManager(t, map[string]string{"app.socket": socket, "app.service": service("")})
		ctl(t, m, "start", "app.socket", "app.service")
		if got, want := show(t, m, "StatusText"), "serves: the http server on tcp "+addr; got != want {
			t.Errorf("StatusText = %q, want %q", got, want)
		}
		if got := get(t, "tcp", addr, "/"); got != "http" {
			t.Errorf("answer %q", got)
		}
		pid := show(t, m, "MainPID")
		ctl(t, m, "restart", "app.service")
		if got := show(t, m, "MainPID"); got == pid || got == "0" {
			t.Errorf("process %s after a restart of %s", got, pid)
		}
		if got := get(t, "tcp", addr, "/"); got != "http" {
			t.Errorf("answer %q", got)
		}
		ctl(t, m, "stop", "app.socket", "app.service")
		if got := show(t, m, "Result"); got != "success" {
			t.Errorf("Result = %s", got)
		}
	})

	// One that is not well is killed.
	t.Run("Watchdog", func(t *testing.T) {
		m := realManager(t, map[string]string{"app.socket": socket,
			"app.service": service("WatchdogSec=1s\nLimitCORE=0\nRuntimeDirectory=app\nWorkingDirectory=/run/app\n")})
		ctl(t, m, "start", "app.socket", "app.service")
		time.Sleep(2 * time.Second)
		if got := show(t, m, "SubState"); got != "running" {
			t.Fatalf("it is well, and %s", got)
		}
		if err := os.WriteFile(m.Path("/run/app/unwell"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		await(t, "end by the watchdog", func() bool { return show(t, m, "Result") == "watchdog" })
	})

	// A request that runs for longer than TimeoutStopSec is not killed, and the watchdog
	// is fed meanwhile.
	t.Run("LongStop", func(t *testing.T) {
		m := realManager(t, map[string]string{"app.socket": socket,
			"app.service": service("TimeoutStopSec=200ms\nWatchdogSec=500ms\nRuntimeDirectory=app\nWorkingDirectory=/run/app\n")})
		ctl(t, m, "start", "app.socket", "app.service")
		c := dial(t, "tcp", addr)
		defer c.Close()
		fmt.Fprint(c, "GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		get(t, "tcp", addr, "/") // behind it in the queue
		stopped := make(chan error, 1)
		go func() {
			_, err := m.Ctl(t.Context(), "stop", "app.socket", "app.service")
			stopped <- err
		}()
		await(t, "the stop", func() bool { return show(t, m, "SubState") == "stop-sigterm" })
		// The socket is shared: who comes is served for as long as the process is there.
		if got := get(t, "tcp", addr, "/"); got != "http" {
			t.Errorf("answer %q", got)
		}
		time.Sleep(1500 * time.Millisecond) // several times both
		if got := show(t, m, "StatusText"); !strings.HasPrefix(got, "stopping: 1 requests in flight") {
			t.Errorf("StatusText = %q", got)
		}
		if err := os.WriteFile(m.Path("/run/app/go"), nil, 0o644); err != nil {
			t.Error(err)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		if answer, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(answer), "http") {
			t.Errorf("answer %q, %v", answer, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if got := show(t, m, "Result"); got != "success" {
			t.Errorf("Result = %s", got)
		}
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}
