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
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testproc"
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
			t.Skip("a process cannot be sent an interrupt")
		}
		programs := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindAllSubmatch(text, -1)
		if len(programs) != 2 {
			t.Fatalf("README.md has %d programs, want the first one and that with an admin server", len(programs))
		}
		onLoopback := strings.NewReplacer(`":8080"`, `"127.0.0.1:0"`, `"localhost:8081"`, `"127.0.0.1:0"`)
		for _, code := range programs {
			dir := t.TempDir()
			source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
			if err := os.WriteFile(source, []byte(onLoopback.Replace(string(code[1]))), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			runProgram(t, exec.Command(program), strings.Contains(string(code[1]), "fxhttpadmin"))
		}
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

// runProgram starts the program, asks it, and its admin server if it has one, and stops it.
func runProgram(t *testing.T, cmd *exec.Cmd, hasAdmin bool) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := testproc.Start(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()

	started := regexp.MustCompile(`http server started.*?(server=admin )?addr=(\S+)`)
	addr, admin, running := "", "", false // Which of them is logged first is open.
	for lines := bufio.NewScanner(stderr); (addr == "" || !running || hasAdmin && admin == "") && lines.Scan(); {
		running = running || strings.Contains(lines.Text(), "RUNNING")
		if m := started.FindStringSubmatch(lines.Text()); m != nil && m[1] != "" {
			admin = m[2]
		} else if m != nil {
			addr = m[2]
		}
	}
	ask := func(url, want string) {
		t.Helper()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("GET %s = %q, %v, want %q", url, body, err, want)
		}
	}
	ask("http://"+addr+"/hello", "hello\n")
	if hasAdmin {
		ask("http://"+admin+"/readyz?verbose", "[+]server/admin ok\n[+]server/http ok\n")
		ask("http://"+admin+"/", "<!doctype html>")
	}
	http.DefaultClient.CloseIdleConnections()
	if err := testproc.Interrupt(cmd.Process); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, stderr)
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}
