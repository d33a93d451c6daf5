//go:build linux

package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestUnits has systemd itself read the unit files of all recipes.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	switch {
	case err == nil:
	case os.Getenv("CI") == "":
		t.Skip("no systemd-analyze: install Debian's package systemd")
	default:
		t.Fatalf("%v: CI installs Debian's package systemd", err)
	}
	units, err := filepath.Glob("../*/*.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range append(units, "app.socket") {
		t.Run(filepath.ToSlash(unit), func(t *testing.T) {
			if out := verify(t, analyze, unit, nil); out != "" {
				t.Error(out)
			}
			// It would have said so.
			if out := verify(t, analyze, unit, strings.NewReplacer("[Install]", "[Install]\nNoSuchKey=1")); !strings.Contains(out, "NoSuchKey") {
				t.Errorf("a key that is wrong was not noticed: %q", out)
			}
		})
	}
	if len(units) < 4 {
		t.Errorf("only %q", units)
	}
}

// verify returns what systemd says about a unit and those that it needs.
func verify(t *testing.T, analyze, unit string, change *strings.Replacer) string {
	t.Helper()
	dir := t.TempDir()
	name := strings.Replace(filepath.Base(unit), "@", "@blue", 1)
	for _, file := range slices.Concat([]string{unit}, glob(t, filepath.Join(filepath.Dir(unit), "*.socket")), glob(t, filepath.Join(filepath.Dir(unit), "*.service"))) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The program has to exist.
		s := strings.ReplaceAll(string(text), "/usr/local/bin/app", "/bin/true")
		if change != nil && file == unit {
			s = change.Replace(s)
		}
		if err := os.WriteFile(filepath.Join(dir, strings.Replace(filepath.Base(file), "@", "@blue", 1)), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", filepath.Join(dir, name))
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		return err.Error()
	}
	return string(out)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
