package main

import (
	"testing"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// One stop of each kind, as a test; the command does as many as it is asked for.
func TestScenarios(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			r, err := sc.round("fxshutdown", "own", fxshutdown.DefaultIdleGrace)
			if err != nil {
				t.Fatal(err)
			}
			if r.ok == 0 {
				t.Error("no request was answered")
			}
			for _, lost := range r.losses {
				t.Errorf("lost: %s", lost)
			}
		})
	}
}

// The clients find what is lost: net/http drops first requests that come late.
func TestBareLoses(t *testing.T) {
	for _, sc := range scenarios {
		if sc.name != "late" {
			continue
		}
		r, err := sc.round("net/http", "own", fxshutdown.DefaultIdleGrace)
		if err != nil {
			t.Fatal(err)
		}
		if r.lost == 0 || int(r.lost) != len(r.losses) {
			t.Errorf("lost = %d, with %d descriptions; want some, and as many", r.lost, len(r.losses))
		}
	}
}
