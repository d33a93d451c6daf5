package main

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The edits fit the httptest of the Go that builds this.
func TestApply(t *testing.T) {
	goroot, err := goEnv("env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	src, err := os.ReadFile(filepath.Join(goroot, "src", "net", "http", "httptest", "server.go"))
	if err != nil {
		t.Skip(err) // a GOROOT without sources
	}
	edited, err := apply(string(src), edits)
	if err != nil {
		t.Fatalf("apply() = %v", err)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "server.go", edited, 0); err != nil {
		t.Errorf("the edited server.go: %v", err)
	}
	if _, err := apply(edited, edits); err == nil {
		t.Error("apply() of what is edited already = nil, want an error")
	}
}

func TestReadResults(t *testing.T) {
	const output = `
{"Action":"run","Test":"TestA"}
{"Action":"run","Test":"TestA/h1"}
{"Action":"output","Test":"TestA/h1","Output":"no\n"}
{"Action":"fail","Test":"TestA/h1"}
{"Action":"pass","Test":"TestA/h2"}
{"Action":"fail","Test":"TestA"}
{"Action":"skip","Test":"TestB"}
{"Action":"output","Output":"\trunning tests:\n"}
{"Action":"output","Output":"\t\tTestC (2m0s)\n"}
{"Action":"output","Output":"\t\tTestC/h1 (1m59s)\n"}
{"Action":"output","Output":"\t\tTestD (1s)\n"}
{"Action":"output","Output":"\n"}
{"Action":"output","Output":"\t\tTestE (2m0s)\n"}
{"Action":"fail"}
`
	res, printed, err := readResults(strings.NewReader(output), time.Minute)
	if err != nil {
		t.Fatalf("readResults() = %v", err)
	}
	want := results{"TestA": "fail", "TestA/h1": "fail", "TestA/h2": "pass", "TestB": "skip", "TestC": "hang", "TestC/h1": "hang"}
	if !maps.Equal(res, want) {
		t.Errorf("readResults() = %v, want %v", res, want)
	}
	if got := printed["TestA/h1"]; got != "no\n" {
		t.Errorf("TestA/h1 printed %q", got)
	}
	if got := slices.Sorted(maps.Keys(res.failures())); !slices.Equal(got, []string{"TestA/h1", "TestC/h1"}) {
		t.Errorf("failures() = %v, want the innermost", got)
	}
	if got, want := done(res, []string{"TestD/h1"}), "^TestA$|^TestB$|^TestC$|^TestD$/^h1$"; got != want {
		t.Errorf("done() = %q, want %q", got, want)
	}
}

func TestPattern(t *testing.T) {
	if got, want := pattern("TestA/h1#01"), "^TestA$/^h1#01$"; got != want {
		t.Errorf("pattern() = %q, want %q", got, want)
	}
}
