package fxhttp_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/internal/eventtest"
	"github.com/fxshutdown/fxhttp/internal/testproc"
)

// TestMigrating builds and runs each program of docs/migrating.md, those that are to be
// left behind too.
func TestMigrating(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	text, err := os.ReadFile("docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllStringSubmatch(string(text), -1)
	if blocks := strings.Count(string(text), "```go\n"); len(programs) != blocks || blocks == 0 {
		t.Fatalf("docs/migrating.md has %d blocks of Go, of which %d are programs, want all", blocks, len(programs))
	}
	for i, code := range programs {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) {
			addr := freeAddr(t)
			dir := t.TempDir()
			source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
			if err := os.WriteFile(source, []byte(strings.ReplaceAll(code[1], `":8080"`, `"`+addr+`"`)), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, source).CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			runMigrated(t, exec.Command(program), addr)
		})
	}
}

// The lines of a log that docs/migrating.md shows are said today.
func TestMigratingLog(t *testing.T) {
	text, err := os.ReadFile("docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[string]bool)
	for _, c := range eventtest.Cases() {
		said[c.Message] = true
	}
	lines := regexp.MustCompile(`"msg":"(http server [^"]*)"`).FindAllStringSubmatch(string(text), -1)
	if len(lines) == 0 {
		t.Error("docs/migrating.md shows no log")
	}
	for _, line := range lines {
		if !said[line[1]] {
			t.Errorf("docs/migrating.md shows the line %q, which no event has", line[1])
		}
	}
}

// runMigrated starts a program, asks it for /hello, and stops it.
func runMigrated(t *testing.T, cmd *exec.Cmd, addr string) {
	t.Helper()
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := testproc.Start(cmd); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	if got := askHello(addr); got != "hello\n" {
		t.Errorf("GET /hello = %q, want hello", got)
	}
	if err := testproc.Interrupt(cmd.Process); err != nil {
		t.Error(err)
		cmd.Process.Kill()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v:\n%s", err, log.String())
	}
}

// askHello asks until there is an answer.
func askHello(addr string) (got string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		resp, err := client.Get("http://" + addr + "/hello")
		if err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err == nil {
			return string(body)
		}
	}
	return ""
}

// freeAddr returns an address for a program that cannot choose one. The port is none of
// those that systems give to clients, of which other tests have many.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}
