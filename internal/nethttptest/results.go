package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// results holds what each test of net/http came to: "pass", "fail", "skip", or "hang".
// A test that began and has no end, since another one hung, is not in it.
type results map[string]string

// A testEvent is a line of go tool test2json.
type testEvent struct {
	Action string
	Test   string
	Output string
}

// readResults reads the output of go tool test2json, and also returns what was printed.
// hang is how long a test runs that counts as hanging.
func readResults(r io.Reader, hang time.Duration) (results, map[string]string, error) {
	res, output := results{}, map[string]string{}
	running := false // in the list of what ran when the time was over
	for dec := json.NewDecoder(r); ; {
		var e testEvent
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return res, output, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("output of the tests: %w", err)
		}
		switch e.Action {
		case "pass", "fail", "skip":
			if e.Test != "" && res[e.Test] == "" {
				res[e.Test] = e.Action
			}
		case "output":
			output[e.Test] += e.Output
			if strings.Contains(e.Output, "running tests:") {
				running = true
			} else if running {
				name, took, ok := parseRunning(e.Output)
				running = ok
				if ok && took >= hang {
					res[name] = "hang"
				}
			}
		}
	}
}

// parseRunning parses a line such as "\t\tTestX/h1 (41s)".
func parseRunning(line string) (name string, took time.Duration, ok bool) {
	name, rest, ok := strings.Cut(strings.TrimSpace(line), " (")
	if !ok || !strings.HasPrefix(name, "Test") {
		return "", 0, false
	}
	took, err := time.ParseDuration(strings.TrimSuffix(rest, ")"))
	return name, took, err == nil
}

// failures returns the tests that failed or hung, innermost only: one that fails because
// of its subtests says nothing by itself.
func (res results) failures() map[string]bool {
	failed := map[string]bool{}
	for name, r := range res {
		if r == "fail" || r == "hang" {
			failed[name] = true
		}
	}
	for name := range failed {
		for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name, '/') {
			name = name[:i]
			delete(failed, name)
		}
	}
	return failed
}

// count returns how many tests and subtests ran.
func (res results) count() (n int) {
	for _, r := range res {
		n += oneUnless(r == "skip")
	}
	return n
}

func oneUnless(b bool) int {
	if b {
		return 0
	}
	return 1
}
