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
	"slices"
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
	once             // noticed by tests that passed when they ran again, and by no other
	killed
	timedOut
	uncompiled
)

// A result is what became of a mutant, and why.
type result struct {
	outcome outcome
	why     string
	test    string // that failed, if there was one
}

func (r result) String() string {
	names := [...]string{"SURVIVED", "killed ONCE", "killed", "timed out", "no build"}
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
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-w", "-overlay", overlay, "-o", binary, t.pkg.ImportPath)
	if text, err := build.CombinedOutput(); err != nil {
		_, why, _ := strings.Cut(lastLine(text), ": ") // without the place, which is the mutant
		return result{outcome: uncompiled, why: why}, ctx.Err()
	}

	args := []string{"-test.failfast", "-test.paniconexit0", "-test.timeout", t.timeout.String()}
	execute := func(run string, skip []string) result {
		return t.execute(ctx, overlay, binary, append(args, "-test.run", run, "-test.skip", strings.Join(skip, "|")))
	}
	var skip, unsteady []string
	confirmed := func(run string) result {
		for {
			r := execute(run, skip)
			if r.outcome != killed || r.test == "" || slices.Contains(unsteady, r.test) ||
				execute(exactly(r.test), nil).outcome != survived {
				return r
			}
			unsteady = append(unsteady, r.test)
			skip = append(skip, exactly(r.test))
		}
	}
	var r result
	if t.fast != "" {
		r = confirmed(t.fast)
		skip = append(skip, t.fast)
	}
	if r.outcome == survived {
		r = confirmed(t.run)
	}
	if r.outcome == survived && unsteady != nil {
		r = result{outcome: once, why: "by " + strings.Join(unsteady, ", ")}
	}
	return r, ctx.Err()
}

// exactly is the -test.run of one test.
func exactly(test string) string {
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^") + "$"
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

var crashed = regexp.MustCompile(`(?m)^(panic|fatal error): .*`)

// failedTest returns the first test that failed, by its full name. A test is printed
// before its subtests.
func failedTest(text []byte) (name string) {
	for _, m := range failed.FindAllSubmatch(text, -1) {
		if next := string(m[1]); name == "" || strings.HasPrefix(next, name+"/") {
			name = next
		}
	}
	return name
}

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
		return result{}
	case errors.Is(bounded.Err(), context.DeadlineExceeded) || bytes.Contains(text, []byte("panic: test timed out after")):
		return result{outcome: timedOut}
	}
	if test := failedTest(text); test != "" {
		return result{killed, "by " + test, test}
	}
	if line := crashed.Find(text); line != nil {
		return result{outcome: killed, why: "by " + oneLine(string(line))}
	}
	return result{outcome: killed, why: "by " + lastLine(text)}
}

// lastLine is where a compiler or a panic says what was wrong.
func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return oneLine(string(lines[len(lines)-1]))
}
