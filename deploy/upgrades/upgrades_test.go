//go:build unix

package upgrades

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const serveVariable = "UPGRADES_SERVE"

func TestMain(m *testing.M) {
	if addr := os.Getenv(serveVariable); addr != "" {
		err := Serve(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			if d, err := time.ParseDuration(r.FormValue("for")); err == nil {
				time.Sleep(d)
			}
			fmt.Fprint(w, os.Getpid())
		}))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestKeepAlive restarts the server under load: no client sees its connection end.
func TestKeepAlive(t *testing.T) {
	restarts := 5
	if n, err := strconv.Atoi(os.Getenv("UPGRADES_RESTARTS")); err == nil {
		restarts = n
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"="+addr)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go cmd.Wait()
	var lines []string
	ended := make(chan struct{}) // when every process has ended
	go func() {
		defer close(ended)
		defer r.Close()
		for s := bufio.NewScanner(r); s.Scan(); {
			lines = append(lines, s.Text())
		}
	}()

	var dials, answered, clients atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	newClient := func() *http.Client {
		clients.Add(1)
		return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			for {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				if err == nil {
					dials.Add(1)
					return c, nil
				}
				if ctx.Err() != nil || answered.Load() > 0 {
					return nil, err
				}
				time.Sleep(5 * time.Millisecond) // it starts
			}
		}}}
	}
	ask := func(c *http.Client, path string) (pid int) {
		resp, err := c.Post("http://"+addr+path, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Errorf("lost: %v", err)
			return 0
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Errorf("lost: %v", err)
			return 0
		}
		answered.Add(1)
		pid, _ = strconv.Atoi(string(b))
		return pid
	}

	idle := newClient()
	pid := ask(idle, "/")
	var running sync.WaitGroup
	for i := range 32 {
		running.Go(func() {
			c := newClient()
			defer c.CloseIdleConnections()
			for ctx.Err() == nil && !t.Failed() {
				if i < 2 {
					ask(c, "/?for=100ms")
				} else {
					ask(c, "/")
				}
				time.Sleep(rand.N(10 * time.Millisecond))
			}
		})
	}
	for range restarts {
		time.Sleep(100 * time.Millisecond)
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		before := pid
		for end := time.Now().Add(20 * time.Second); pid == before; time.Sleep(5 * time.Millisecond) {
			if pid = ask(idle, "/"); time.Now().After(end) || pid == 0 {
				t.Fatal("no successor")
			}
		}
	}
	cancel()
	running.Wait()
	idle.CloseIdleConnections()
	syscall.Kill(pid, syscall.SIGTERM)
	<-ended
	t.Logf("%d restarts, %d requests, %d clients, %d connections", restarts, answered.Load(), clients.Load(), dials.Load())
	if dials.Load() != clients.Load() {
		t.Errorf("%d connections for %d clients", dials.Load(), clients.Load())
	}
	if len(lines) != restarts {
		t.Errorf("output %q, want %d lines", lines, restarts)
	}
}
