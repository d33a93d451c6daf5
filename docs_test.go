package fxhttp_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/fxshutdown/fxhttp/internal/eventtest"
)

// The log lines in docs/migrating.md are those that the library writes.
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
