package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// A pkg is the package to change.
type pkg struct {
	Dir        string
	ImportPath string
	GoFiles    []string // those of this system, without tests

	sources map[string][]byte
}

func load(ctx context.Context, path string) (*pkg, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-json=Dir,ImportPath,GoFiles", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w\n%s", path, err, &stderr)
	}
	p := &pkg{sources: map[string][]byte{}}
	return p, json.Unmarshal(text, p)
}

// Outcomes of a mutant.
type outcome int

const (
	survived outcome = iota
	killed
	timedOut
	uncompiled
)

// A result is what became of a mutant, and why.
type result struct {
	outcome outcome
	why     string
}

func (r result) String() string {
	names := [...]string{"SURVIVED", "killed", "timed out", "no build"}
	return strings.TrimRight(names[r.outcome]+" "+r.why, " ")
}

// A tester builds and runs the tests of a package.
type tester struct {
	pkg *pkg
	options
	dir string // for what it builds
}

func newTester(p *pkg, o options) (*tester, error) {
	dir, err := os.MkdirTemp("", "mutate")
	return &tester{pkg: p, options: o, dir: dir}, err
}

func (t *tester) close() { os.RemoveAll(t.dir) }

// test runs the tests with the mutant, or without one.
func (t *tester) test(ctx context.Context, m *mutant) (result, error) {
	overlay, err := t.overlay(m)
	if err != nil {
		return result{}, err
	}
	binary := filepath.Join(t.dir, "tests")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, t.pkg.ImportPath)
	if text, err := build.CombinedOutput(); err != nil {
		_, why, _ := strings.Cut(lastLine(text), ": ") // without the place, which is the mutant
		return result{uncompiled, why}, ctx.Err()
	}

	args := []string{"-test.failfast", "-test.paniconexit0", "-test.timeout", t.timeout.String()}
	if t.fast != "" {
		if r := t.execute(ctx, overlay, binary, append(args, "-test.run", t.fast)); r.outcome != survived {
			return r, ctx.Err()
		}
		args = append(args, "-test.skip", t.fast)
	}
	return t.execute(ctx, overlay, binary, append(args, "-test.run", t.run)), ctx.Err()
}

// overlay writes the mutant, and the file that makes the go command take it.
func (t *tester) overlay(m *mutant) (string, error) {
	replace := map[string]string{}
	if m != nil {
		file := filepath.Join(t.dir, "mutant.go")
		if err := os.WriteFile(file, m.apply(t.pkg.sources[m.file]), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(t.pkg.Dir, m.file)] = file
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(t.dir, "overlay.json")
	return name, os.WriteFile(name, text, 0o600)
}

// late is how long after its timeout a test binary is killed that did not see it itself.
const late = 10 * time.Second

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// execute runs the tests. Go commands that they start see the mutant too.
func (t *tester) execute(ctx context.Context, overlay, binary string, args []string) result {
	bounded, cancel := context.WithTimeout(ctx, t.timeout+late)
	defer cancel()
	cmd := exec.CommandContext(bounded, binary, args...)
	cmd.Dir = t.pkg.Dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	cmd.WaitDelay = time.Second
	endGroup(cmd)
	text, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return result{survived, ""}
	case errors.Is(bounded.Err(), context.DeadlineExceeded) || bytes.Contains(text, []byte("panic: test timed out after")):
		return result{timedOut, ""}
	}
	if m := failed.FindSubmatch(text); m != nil {
		return result{killed, "by " + string(m[1])}
	}
	return result{killed, "by " + lastLine(text)}
}

// lastLine is where a compiler or a panic says what was wrong.
func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return oneLine(string(lines[len(lines)-1]))
}
