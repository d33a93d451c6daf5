// Command nethttptest runs net/http's own tests with every httptest.Server served by
// the engine, and on bare net/http, and lists the tests that fail only with the engine.
//
//	go run ./internal/nethttptest
//	go run ./internal/nethttptest -run TestServer -v
//
// It changes nothing in GOROOT: go's -overlay replaces httptest/server.go with an edited
// version and adds the engine's sources.
//
// A test that failed is run again, alone, on both. It counts if it fails with the engine
// each time and passes on bare net/http. Known failures, each with its reason, are in
// known.go. The command exits with 1 if another test fails, or if a known one passes.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	run := flag.String("run", "", "run only the tests that match, as go test -run does")
	engine := flag.String("engine", "", "directory of the engine (default: fxshutdown in this module)")
	again := flag.Int("again", 2, "how often to run a failed test again")
	verbose := flag.Bool("v", false, "print what the failed tests printed")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ok, err := compare(*run, *engine, *again, *verbose)
	if err != nil {
		fmt.Fprintf(os.Stderr, "nethttptest: %v\n", err)
		os.Exit(1)
	}
	if !ok {
		os.Exit(1)
	}
}

func compare(run, engine string, again int, verbose bool) (ok bool, err error) {
	goroot, err := goEnv("env", "GOROOT")
	if err != nil {
		return false, err
	}
	if engine == "" {
		if engine, err = goEnv("list", "-f", "{{.Dir}}", "github.com/fxshutdown/fxhttp/fxshutdown"); err != nil {
			return false, err
		}
	}
	if engine, err = filepath.Abs(engine); err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "nethttptest")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, goroot, engine)
	if err != nil {
		return false, err
	}
	ours, err := build(filepath.Join(dir, "engine.test"), goroot, "-overlay="+overlay)
	if err != nil {
		return false, err
	}
	bare, err := build(filepath.Join(dir, "bare.test"), goroot)
	if err != nil {
		return false, err
	}
	var hanging []string
	if run == "" {
		for name, d := range known {
			if d.hangs {
				hanging = append(hanging, name)
			}
		}
	}
	res, output, err := ours.runAll(run, hanging)
	if err != nil {
		return false, err
	}
	failed := append(slices.Collect(maps.Keys(res.failures())), hanging...)
	slices.Sort(failed)
	fmt.Printf("%d tests with the engine, %d failed\n", res.count(), len(failed))
	var only []string
	for _, name := range failed {
		differs, err := differ(ours, bare, name, again)
		if err != nil {
			return false, err
		}
		if differs {
			only = append(only, name)
		} else {
			fmt.Printf("  fails on bare net/http too, or passes when it is run alone: %s\n", name)
		}
	}
	return judge(only, hanging, res, output, verbose), nil
}

// differ reports whether a test fails with the engine each time, and passes on bare
// net/http.
func differ(ours, bare *suite, name string, again int) (bool, error) {
	for range again {
		if fails, err := ours.alone(name); err != nil || !fails {
			return false, err
		}
	}
	fails, err := bare.alone(name)
	return !fails, err
}

// judge prints the tests that fail with the engine alone and reports whether they are
// those that are known. Those of hanging were run alone.
func judge(only, hanging []string, ran results, output map[string]string, verbose bool) bool {
	ok := true
	fmt.Printf("%d tests fail with the engine and pass on bare net/http\n", len(only))
	for _, name := range only {
		d, isKnown := known[name]
		if !isKnown {
			ok, d.reason = false, "NOT KNOWN"
		}
		fmt.Printf("  %s: %s\n", name, d.reason)
		if verbose || !isKnown {
			fmt.Print(indent(output[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if ran[name] == "pass" || slices.Contains(hanging, name) && !slices.Contains(only, name) {
			ok = false
			fmt.Printf("  %s passes: remove it from known.go\n", name)
		}
	}
	return ok
}

// indent returns the beginning of s, indented.
func indent(s string) string {
	const most = 30
	var b strings.Builder
	n := 0
	for line := range strings.Lines(s) {
		if n++; n > most {
			b.WriteString("      ...\n")
			break
		}
		b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}

func goEnv(args ...string) (string, error) {
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
