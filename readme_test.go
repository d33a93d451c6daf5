package fxhttp_test

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/internal/testproc"
)

// TestReadme finds a README that takes longer than five minutes, and settings that the
// docs do not list.
func TestReadme(t *testing.T) {
	if words := strings.Fields(readPage(t, "README.md")); len(words) > 1200 {
		t.Errorf("README.md has %d words, want at most 1200", len(words))
	}

	options := readPage(t, "docs/options.md")
	wantListed := func(names ...string) {
		for _, name := range names {
			if strings.Contains(options, "`"+name+"`") {
				return
			}
		}
		t.Errorf("docs/options.md does not list `%s`", names[0])
	}
	file, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "With") {
			wantListed(f.Name.Name)
		}
	}
	for f := range reflect.TypeFor[fxhttp.Config]().Fields() {
		if !strings.HasPrefix(f.Name, "TLS") { // WithTLSFiles
			wantListed("Config."+f.Name, "With"+f.Name)
		}
	}
}

// TestGoBlocks tests the Go code of the README and the docs. A program is built, and, if
// it answers /hello, run and stopped. A fragment stands, line by line, in a test.
func TestGoBlocks(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := fragmentsOf(t, "*_test.go", "admin/*_test.go", "fxshutdown/*_test.go")
	block := regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	for _, page := range append(docs, "README.md") {
		for i, code := range block.FindAllStringSubmatch(readPage(t, page), -1) {
			t.Run(fmt.Sprintf("%s/%d", page, i+1), func(t *testing.T) {
				switch {
				case strings.HasPrefix(code[1], "package main"):
					testProgram(t, code[1])
				case !strings.Contains(tests, withoutIndent(code[1])):
					t.Errorf("no test has the lines\n%s", code[1])
				}
			})
		}
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fragmentsOf returns the lines of all files that match, without their indentation.
func fragmentsOf(t *testing.T, patterns ...string) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			all.WriteString(withoutIndent(readPage(t, file)))
		}
	}
	return all.String()
}

func withoutIndent(code string) string {
	return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(strings.TrimSpace(code), "")
}

func testProgram(t *testing.T, code string) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	onLoopback := strings.NewReplacer(`":8080"`, `"127.0.0.1:0"`, `"localhost:8081"`, `"127.0.0.1:0"`)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(onLoopback.Replace(code)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if strings.Contains(code, `"GET /hello"`) {
		runProgram(t, exec.Command(program), strings.Contains(code, "fx.New"), strings.Contains(code, "fxhttpadmin"))
	}
}

// runProgram starts the program, an Fx app or not, asks it, and its admin server if it
// has one, and stops it.
func runProgram(t *testing.T, cmd *exec.Cmd, isApp, hasAdmin bool) {
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
	addr, admin, running := "", "", !isApp // Which of them is logged first is open.
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
