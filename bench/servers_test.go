//go:build unix

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/results"
	"github.com/fxshutdown/fxhttp/bench/internal/server"
	"github.com/fxshutdown/fxhttp/bench/internal/steady"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

func TestMain(m *testing.M) {
	load.ExecIfAsked()
	os.Exit(m.Run())
}

// build builds servers of this module, and draincheck.
func build(t *testing.T, ids ...string) *built {
	t.Helper()
	dir := t.TempDir()
	cert, _ := testcert.New()
	certFile, keyFile, err := testcert.Write(dir, cert)
	if err != nil {
		t.Fatal(err)
	}
	b := &built{dir: dir, draincheck: filepath.Join(dir, "draincheck"), place: subject.Place{
		Bin: dir, Peers: filepath.Join("peers", "node"), Cert: certFile, Key: keyFile}}
	for _, id := range ids {
		s, ok := subject.Find(slices.Concat(subject.All(), subject.Variants()), id)
		if !ok {
			t.Fatalf("no subject %q", id)
		}
		b.subjects = append(b.subjects, s)
		if s.Runtime == subject.Go {
			program := cmp.Or(s.Program, id)
			goBuild(t, ".", filepath.Join(dir, program), "./servers/"+program)
		}
	}
	goBuild(t, filepath.Join("..", "cmd", "draincheck"), b.draincheck, ".")
	return b
}

func goBuild(t *testing.T, dir, out, pkg string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
}

// short is a round that takes little.
func short() *config {
	return &config{rounds: 1, load: 100 * time.Millisecond, limit: 2 * time.Second, stuckLimit: 500 * time.Millisecond,
		window: 2 * time.Millisecond, idle: 50}
}

// TestRound makes one short round of everything with three servers of this repository.
func TestRound(t *testing.T) {
	t.Parallel()
	s := newSession(build(t, "fxhttp", "fxshutdown", "nethttp"), short(), io.Discard)
	defer s.close()
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := s.results
	r.Sum()
	if len(r.Failures) > 0 {
		t.Errorf("not measured: %v", r.Failures)
	}
	for _, sub := range s.subjects {
		for _, k := range r.Loads {
			c := r.LostCell(sub.ID, k.ID)
			if c == nil || c.Sent == 0 || c.Killed > 0 {
				t.Errorf("%s under %s: %+v, want a stop", sub.ID, k.ID, c)
			}
		}
		for _, o := range r.Obstacles {
			c := r.StopCell(sub.ID, o.ID)
			if c == nil || c.Killed > 0 || c.Lost > 0 {
				t.Errorf("%s with %s: %+v, want a stop", sub.ID, o.ID, c)
				continue
			}
			// Of ours only the stuck handler uses up its limit.
			if sub.Ours && c.AtLimit != o.Stuck {
				t.Errorf("%s with %s: %v ms, at the limit: %v", sub.ID, o.ID, c.MS.Median, c.AtLimit)
			}
		}
		if c := r.SteadyCell(sub.ID); c == nil || c.Throughput.Median <= 0 || c.PerConn.Median <= 0 {
			t.Errorf("%s in steady state: %+v, want ratios", sub.ID, c)
		}
	}
}

// TestAged compares connections that retire with those that do not, for long enough that they do.
func TestAged(t *testing.T) {
	t.Parallel()
	cfg := short()
	cfg.base, cfg.steady, cfg.only = "fxshutdown", true, []string{"fxshutdown-age1s", steadyMeasure}
	cfg.window = 40 * time.Millisecond
	s := newSession(build(t, "nethttp", "fxshutdown", "fxshutdown-age1s"), cfg, io.Discard)
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.results.Failures) > 0 {
		t.Errorf("not measured: %v", s.results.Failures)
	}
	if c := s.results.SteadyCell("nethttp"); c != nil {
		t.Errorf("net/http was measured: %+v", c)
	}
	for _, id := range []string{"fxshutdown", "fxshutdown-age1s"} {
		if c := s.results.SteadyCell(id); c == nil || c.Base != "fxshutdown" || len(c.Ratios) != 1 || len(c.More) != 1 {
			t.Errorf("%s in steady state: %+v, want ratios to fxshutdown", id, c)
		}
	}
}

// TestNoLink looks whether what takes a link is left out, with a word, where there is none.
func TestNoLink(t *testing.T) {
	s := newSession(&built{subjects: subject.All()}, short(), io.Discard)
	all := len(s.results.Loads)
	err := s.openLinks(func(time.Duration) (*load.Link, error) { return nil, fmt.Errorf("open: %w", load.ErrNoLink) })
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.results.Loads); n != all-1 {
		t.Errorf("%d of %d loads are left, want one less", n, all)
	}
	if a := s.results.Absent; len(a) != 1 || !strings.Contains(a[0].Name, "far clients") || !strings.Contains(a[0].Reason, "link") {
		t.Errorf("absent: %v, want the far clients and why", a)
	}
	broken := errors.New("broken")
	if err := newSession(s.built, short(), io.Discard).openLinks(func(time.Duration) (*load.Link, error) { return nil, broken }); err != broken {
		t.Errorf("openLinks() = %v, want %v", err, broken)
	}
}

// TestTimeouts looks whether every Go server has the timeouts that the steady state gives it.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	var ids []string
	for _, s := range subject.All() {
		if s.Runtime == subject.Go {
			ids = append(ids, s.ID)
		}
	}
	b := build(t, ids...)
	for _, sub := range b.subjects {
		steady := strings.Join(b.place.Steady(sub, ":0", time.Second), " ")
		if want := "-read-header-timeout 10s -idle-timeout 2m0s"; !strings.Contains(steady, want) {
			t.Errorf("%s, want it with %s", steady, want)
		}
		for flag, send := range map[string]string{
			"-idle-timeout":        "GET / HTTP/1.1\r\nHost: bench\r\n\r\n",
			"-read-header-timeout": "GET / HTTP/1.1\r\nHost:",
		} {
			t.Run(sub.ID+flag, func(t *testing.T) {
				s, err := server.Start(t.Context(), func(addr string) []string {
					return append(b.place.Command(sub, addr, time.Second, false), flag, "50ms")
				})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Kill()
				c, err := net.Dial("tcp", s.Addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(5 * time.Second))
				if _, err := io.WriteString(c, send); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the server did not close the connection")
				}
			})
		}
	}
}

// TestInterrupted cancels a stop that would take long, as Ctrl-C does, and looks whether the server is gone.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	b := build(t, "nethttp")
	var (
		mu    sync.Mutex
		addrs []string
	)
	command := func(addr string) []string {
		mu.Lock()
		defer mu.Unlock()
		addrs = append(addrs, addr)
		return b.place.Command(b.subjects[0], addr, time.Minute, false)
	}
	stuck := func(ctx context.Context) error {
		for _, o := range probe.Obstacles() {
			if o.Stuck {
				_, err := probe.Stop(ctx, o, command, time.Minute)
				return err
			}
		}
		return errors.New("there is no stuck obstacle")
	}
	runner := load.Runner{Draincheck: b.draincheck, Load: time.Minute, Within: time.Minute}
	loaded := func(ctx context.Context) error {
		_, err := runner.Run(ctx, load.Kinds()[0], nil, command)
		return err
	}
	idle := func(ctx context.Context) error {
		for {
			if _, err := steady.Compare(ctx, command, command, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	for name, measure := range map[string]func(context.Context) error{"stop": stuck, "lost": loaded, "steady": idle} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := measure(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("measure() = %v, want %v", err, context.DeadlineExceeded)
			}
			for _, addr := range addrs {
				if c, err := net.Dial("tcp", addr); err == nil {
					c.Close()
					t.Errorf("the server at %s is still running", addr)
				}
			}
		})
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	_, err := server.Start(t.Context(), func(string) []string {
		return []string{"sh", "-c", "echo no luck; exit 3"}
	})
	if err == nil || !strings.Contains(err.Error(), "no luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("Start() = %v, want an error with what the program said", err)
	}
}

// TestNodePeers stops each Node server once, where they are installed.
func TestNodePeers(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join("peers", "node", "node_modules")); err != nil {
		t.Skip("the Node peers are not installed")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("there is no Node")
	}
	var ids []string
	for _, s := range subject.All() {
		if s.Runtime == subject.Node {
			ids = append(ids, s.ID)
		}
	}
	cfg := short()
	cfg.only = []string{"keepalive", "none", "idle", "h2idle", "steady"}
	s := newSession(build(t, ids...), cfg, io.Discard)
	defer s.close()
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.results.Sum()
	if len(s.results.Failures) > 0 {
		t.Errorf("not measured: %v", s.results.Failures)
	}
	for _, id := range ids {
		if c := s.results.StopCell(id, "idle"); c == nil || c.Killed > 0 {
			t.Errorf("%s with idle connections: %+v, want a stop", id, c)
		}
	}
}

// TestPublishedResults keeps the files in results in step with each other and with the notes.
func TestPublishedResults(t *testing.T) {
	published, err := results.Read(filepath.Join("results", "results.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("nothing is published")
	}
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	out := t.TempDir()
	if err := publish(published, ".", out, &stderr); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stderr.String(), "notes.json") {
		t.Errorf("a note is missing:\n%s", &stderr)
	}
	for _, name := range []string{"results.json", "table.md", "lost.svg", "stop.svg"} {
		want, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("results", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("results/%s is not what results.json and notes.json make: go run ./bench -render", name)
		}
	}
}
