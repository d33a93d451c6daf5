package fxhttp_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every test that docs/go-versions.md names exists.
func TestGoVersionsNamesTests(t *testing.T) {
	text, err := os.ReadFile("docs/go-versions.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("fxshutdown/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(b)
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9/]+)`").FindAllStringSubmatch(string(text), -1)
	if len(names) < 40 {
		t.Errorf("the page names %d tests, want all", len(names))
	}
	for _, name := range names {
		parts := strings.Split(name[1], "/")
		if !strings.Contains(sources.String(), "func "+parts[0]+"(t *testing.T)") {
			t.Errorf("%s: there is no such test", name[1])
		}
		if slices.ContainsFunc(parts[1:], func(part string) bool { return !strings.Contains(sources.String(), `"`+part+`"`) }) {
			t.Errorf("%s: there is no such subtest", name[1])
		}
	}
}
