package fxhttp_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestReadme runs the program of the README, and finds options that it does not list.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}

	t.Run("Options", func(t *testing.T) {
		file, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "With") && !strings.Contains(string(text), "`"+f.Name.Name+"`") {
				t.Errorf("README.md does not list `%s`", f.Name.Name)
			}
		}
	})

	t.Run("Program", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a process cannot be sent SIGTERM")
		}
		code := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindSubmatch(text)
		if code == nil {
			t.Fatal("README.md has no program")
		}
		dir := t.TempDir()
		source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
		main := strings.Replace(string(code[1]), `":8080"`, `"127.0.0.1:0"`, 1)
		if err := os.WriteFile(source, []byte(main), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		// Fx listens for signals only when all OnStart hooks have returned, which
		// nobody outside can see: a signal may come before that.
		for range 3 {
			if !runProgram(t, exec.Command(program)) {
				return
			}
		}
		t.Error("SIGTERM killed the program three times")
	})
}

// TestInYourTests is the test of the README.
func TestInYourTests(t *testing.T) {
	var server *fxshutdown.Server
	app := fxtest.New(t,
		fxhttp.Module(fxhttp.WithAddr("127.0.0.1:0")),
		fx.Provide(func() http.Handler { return text("hello\n") }),
		fx.Populate(&server),
	)
	app.RequireStart()
	defer app.RequireStop()
	resp, err := http.Get("http://" + server.Addr().String() + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()

	var admin *fxshutdown.Server
	other := fxtest.New(t, fxhttp.Module(fxhttp.WithName("admin")), fx.Replace(fx.Annotate(fxhttp.Config{Addr: "127.0.0.1:0"}, fx.ResultTags(`name:"admin"`))),
		fx.Provide(fx.Annotate(func() http.Handler { return text("") }, fx.ResultTags(`name:"admin"`))),
		fx.Populate(fx.Annotate(&admin, fx.ParamTags(`name:"admin"`))))
	other.RequireStart().RequireStop()
}

// runProgram starts the program, asks it, and stops it. It reports whether the
// signal has killed it.
func runProgram(t *testing.T, cmd *exec.Cmd) (killed bool) {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()

	started := regexp.MustCompile(`http server started.*addr=(\S+)`)
	addr := ""
	lines := bufio.NewScanner(stderr)
	for running := false; !running && lines.Scan(); {
		running = strings.Contains(lines.Text(), "RUNNING")
		if m := started.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		}
	}
	resp, err := http.Get("http://" + addr + "/hello")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || string(body) != "hello\n" {
		t.Errorf("GET /hello = %q, %v", body, err)
	}
	http.DefaultClient.CloseIdleConnections()
	cmd.Process.Signal(syscall.SIGTERM)
	io.Copy(io.Discard, stderr)
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return true
	}
	if err != nil {
		t.Errorf("the program ended with %v", err)
	}
	return false
}
