package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// wholeMost is how long all tests may take, oneMost a single one. They take 40 s
	// on two cores.
	wholeMost = 150 * time.Second
	oneMost   = 25 * time.Second
)

// A suite is net/http's tests, built.
type suite struct {
	binary string
	dir    string // net/http's
}

// build builds the tests, args are those of go test -c.
func build(binary, goroot string, args ...string) (*suite, error) {
	cmd := exec.Command("go", append(append([]string{"test", "-c", "-vet=off", "-o", binary}, args...), "net/http")...)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build net/http's tests: %w\n%s", err, out)
	}
	return &suite{binary, filepath.Join(goroot, "src", "net", "http")}, nil
}

// run runs the tests that match, and do not match skip, and stops them after the time
// most.
func (s *suite) run(match, skip string, most time.Duration) (results, map[string]string, error) {
	cmd := exec.Command("go", "tool", "test2json", s.binary,
		"-test.v=test2json", "-test.paniconexit0", "-test.run="+match, "-test.skip="+skip, "-test.timeout="+most.String())
	cmd.Dir = s.dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	res, output, err := readResults(out, most/2)
	io.Copy(io.Discard, out)
	cmd.Wait() // tests that fail are what this is about
	return res, output, err
}

// runAll runs all tests that match, but for those of skip. Those that hang are left out after a while, so that
// the others are run.
func (s *suite) runAll(match string, skip []string) (results, map[string]string, error) {
	all, printed := results{}, map[string]string{}
	for {
		res, output, err := s.run(match, done(all, skip), wholeMost)
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(printed, output)
		before, hung := len(all), false
		for name, r := range res {
			all[name] = r
			hung = hung || r == "hang"
		}
		if !hung {
			return all, printed, nil
		}
		if len(all) == before {
			return nil, nil, fmt.Errorf("the tests hang:\n%s", output[""])
		}
	}
}

// done returns a pattern of skip, and of the top-level tests that need not be run again.
func done(res results, skip []string) string {
	patterns := make([]string, 0, len(skip)+len(res))
	for _, name := range skip {
		patterns = append(patterns, pattern(name))
	}
	for name := range res {
		top, _, _ := strings.Cut(name, "/")
		if res[name] == "hang" || res[top] != "" {
			patterns = append(patterns, pattern(top))
		}
	}
	slices.Sort(patterns)
	return strings.Join(slices.Compact(patterns), "|")
}

// alone runs a single test and reports whether it fails.
func (s *suite) alone(name string) (bool, error) {
	res, _, err := s.run(pattern(name), "", oneMost)
	return len(res.failures()) > 0, err
}

// pattern returns what -test.run needs to run just the named test.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}
