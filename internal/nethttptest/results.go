package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// results holds what each test of net/http came to: "pass", "fail" or "skip". A
// test that began and has no end, since the process died, is "lost".
type results map[string]string

// A testEvent is a line of go test -json.
type testEvent struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// readResults reads the output of go test -json, and returns besides what was printed.
func readResults(r io.Reader) (results, map[string]string, error) {
	res, output := results{}, map[string]string{}
	for dec := json.NewDecoder(r); ; {
		var e testEvent
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return res, output, nil
		} else if err != nil {
			return nil, nil, fmt.Errorf("output of go test -json: %w", err)
		}
		switch e.Action {
		case "run":
			res[e.Test] = "lost"
		case "pass", "fail", "skip":
			res[e.Test] = e.Action
		case "output", "build-output":
			output[e.Test] += e.Output
		}
	}
}

// runTests runs net/http's own tests with args besides.
func runTests(args ...string) (results, map[string]string, error) {
	cmd := exec.Command("go", append([]string{"test", "-json", "-timeout=4m"}, append(args, "net/http")...)...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	res, output, err := readResults(out)
	if _, copyErr := io.Copy(io.Discard, out); err == nil {
		err = copyErr
	}
	// Tests that fail are what this is about; that none ran is an error.
	if waitErr := cmd.Wait(); err == nil && len(res) <= 1 {
		err = fmt.Errorf("no test ran: %v\n%s", waitErr, output[""])
	}
	return res, output, err
}

// failures returns the tests that failed, innermost only: one that fails because of
// its subtests says nothing by itself.
func (res results) failures() map[string]bool {
	failed := map[string]bool{}
	for name, r := range res {
		if name != "" && (r == "fail" || r == "lost") {
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
	for name, r := range res {
		if name != "" && r != "skip" {
			n++
		}
	}
	return n
}
