package fxhttp_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp"
	"github.com/fxshutdown/fxhttp/internal/testproc"
)

// TestReadme fails for a README that takes longer than five minutes to read, and for
// settings that the docs do not list.
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
		if !strings.HasPrefix(f.Name, "TLS") { // their option is WithTLSFiles
			wantListed("Config."+f.Name, "With"+f.Name)
		}
	}
}

// TestGoBlocks tests the Go code of the README and the docs. It builds, runs and stops each
// program that serves /hello, and vets all others. It checks that each line of a fragment
// is also a line of a test.
func TestGoBlocks(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := fragmentsOf(t, "*_test.go", "admin/*_test.go", "fxshutdown/*_test.go", "prom/*_test.go")
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

// testProgram vets a program that does not serve /hello. It builds and runs one that does,
// requests that page and, if there is an admin server, one of its pages, and stops the
// program.
func testProgram(t *testing.T, code string) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent an interrupt")
	}
	addr, admin := unusedAddr(t), unusedAddr(t)
	code = strings.NewReplacer(`":8080"`, strconv.Quote(addr), `"localhost:8081"`, strconv.Quote(admin)).Replace(code)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	runs := strings.Contains(code, `/hello"`)
	command := []string{"vet", source}
	if runs {
		command = []string{"build", "-ldflags=-s -w", "-o", program, source}
	}
	if out, err := exec.Command("go", command...).CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", command[0], err, out)
	}
	if !runs {
		return
	}

	var output strings.Builder
	cmd := exec.Command(program)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := testproc.Start(cmd); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	wantPage(t, "http://"+addr+"/hello", "hello\n")
	if strings.Contains(code, "fxhttpadmin") {
		wantPage(t, "http://"+admin+"/readyz?verbose", "[+]server/admin ok\n[+]server/http ok\n")
		wantPage(t, "http://"+admin+"/", "<!doctype html>")
	}
	if err := testproc.Interrupt(cmd.Process); err != nil {
		cmd.Process.Kill()
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v\n%s", err, &output)
	}
}

// unusedAddr returns an address for a program that cannot choose one by itself. Its port
// is outside the range from which systems give ports to clients.
func unusedAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if ln, err := net.Listen("tcp", addr); err == nil {
			ln.Close()
			return addr
		}
	}
	t.Fatal("no port is free")
	return ""
}

// wantPage requests a page until there is an answer, and checks how the answer begins.
func wantPage(t *testing.T, url, want string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil && time.Now().Before(end) {
			continue // the program does not listen yet
		}
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.HasPrefix(string(body), want) {
			t.Errorf("GET %s = %q, %v, want %q", url, body, err, want)
		}
		return
	}
}
