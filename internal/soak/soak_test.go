package main

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// TestMain lets the test binary be the server as well.
func TestMain(m *testing.M) {
	serveIfAsked()
	os.Exit(m.Run())
}

// draincheckOf builds draincheck, which is there in a checkout only.
func draincheckOf(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to stop by")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go here")
	}
	if _, err := os.Stat("../../cmd/draincheck/go.mod"); err != nil {
		t.Skip("draincheck is not here")
	}
	bin, err := draincheck.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// One stop of each kind, as a test; the command does as many as it is asked for.
func TestScenarios(t *testing.T) {
	bin := draincheckOf(t)
	o := options{rounds: "1", kind: "fxshutdown", listener: "own", grace: fxshutdown.DefaultIdleGrace, load: someLoad}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			r, err := sc.run(t.Context(), bin, o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Total.Answered == 0 {
				t.Error("no request was answered")
			}
			for _, lost := range r.losses() {
				t.Errorf("lost: %s", lost)
			}
			for _, reason := range r.otherReasons() {
				t.Error(reason)
			}
		})
	}
}

// What is lost is found: net/http drops first requests that come late. In some stops it
// closes all of these connections before their clients have written, and loses none.
func TestBareLoses(t *testing.T) {
	bin := draincheckOf(t)
	o := options{rounds: "1", kind: bare, grace: fxshutdown.DefaultIdleGrace, load: someLoad}
	i := slices.IndexFunc(scenarios, func(sc scenario) bool { return sc.name == "late" })
	for range 20 {
		r, err := scenarios[i].run(t.Context(), bin, o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Total.Lost != len(r.losses()) {
			t.Errorf("lost = %d, with %d descriptions; want as many", r.Total.Lost, len(r.losses()))
		}
		if r.Total.Lost > 0 {
			return
		}
	}
	t.Error("nothing was lost in 20 stops")
}
