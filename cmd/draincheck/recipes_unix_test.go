//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestRecipes has a shell read each command of the documents, as if it was pasted, and
// then checks its flags. A variable that is not set is an error.
func TestRecipes(t *testing.T) {
	command := regexp.MustCompile(`(?m)^ *(bin/)?draincheck (.*(\\|&&)\n)*.*$`)
	for _, name := range []string{"README.md", "RECIPES.md", "../../docs/draincheck.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, line := range command.FindAllString(string(text), -1) {
			if strings.Contains(line, "…") || !strings.Contains(line, " -url ") {
				continue // shortened, or prose
			}
			found++
			_, flags, _ := strings.Cut(line, "draincheck ")
			out, err := exec.Command("sh", "-uc", "set -- "+flags+"\n"+`printf '%s\0' "$@"`).Output()
			if err != nil {
				t.Errorf("%s: a shell does not take %s: %v", name, line, err)
				continue
			}
			args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			if _, err := parse(args, io.Discard); err != nil {
				t.Errorf("%s: %s: %v", name, line, err)
			}
		}
		if found == 0 {
			t.Errorf("%s has no command", name)
		}
	}
}
