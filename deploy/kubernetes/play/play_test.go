package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestMain runs the tests in a namespace, as main does, where there can be one.
func TestMain(m *testing.M) {
	if url := os.Getenv(triggerVariable); url != "" {
		os.Exit(trigger(url))
	}
	code, done, err := inNamespace()
	switch {
	case err != nil:
		errNoNamespace = err
	case done:
		os.Exit(code)
	default:
		_, errNoNamespace = exec.LookPath("nft")
	}
	os.Exit(m.Run())
}

var errNoNamespace = errors.New("not tried")

// newPlay skips where there is no nft or no namespace, unless that is CI.
func newPlay(t *testing.T) *play {
	t.Helper()
	if errNoNamespace != nil {
		why := fmt.Sprintf("the play cannot run here: %v", errNoNamespace)
		if os.Getenv("CI") != "" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	p := &play{rollouts: 1, family: &ipv4, speed: 1, lag: 2 * time.Second}
	if _, err := p.prepare(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *play) named(t *testing.T, name string) *result {
	t.Helper()
	chosen, err := choose([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.run(t.Context(), &chosen[0], fxHTTP)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *r)
	return r
}

// TestPlay rolls the Deployment out with the manifests' numbers, and with wrong ones: what
// is not lost with the former would say nothing if nothing could be.
func TestPlay(t *testing.T) {
	p := newPlay(t)

	t.Run("Manifests", func(t *testing.T) {
		p.rollouts, p.speed = 2, 3
		r := p.named(t, "manifests")
		if !r.clean() || r.Killed > 0 || r.Restarts > 0 {
			t.Errorf("lost %d, refused %d, other status %d, streams cut %d, killed %d, restarted %d, want none: %s\n%q",
				r.Lost, r.Refused, r.BadStatus, r.StreamCut, r.Killed, r.Restarts, r.Causes, r.Said)
		}
		if want := 2 * 4; r.Pods != want {
			t.Errorf("%d pods were stopped, want %d", r.Pods, want)
		}
		if r.Sent < 100 {
			t.Errorf("%d requests: that is no load", r.Sent)
		}
	})

	t.Run("NoDelay", func(t *testing.T) {
		p.rollouts, p.speed = 1, 8
		if r := p.named(t, "no-delay"); r.Refused == 0 {
			t.Errorf("refused %d connections, want some", r.Refused)
		}
	})

	t.Run("ShortGrace", func(t *testing.T) {
		p.rollouts, p.speed = 2, 8 // in one, the slow requests may just have ended
		if r := p.named(t, "short-grace"); r.Killed == 0 || r.Lost+r.StreamCut == 0 {
			t.Errorf("%d pods killed, %d requests lost, %d streams cut, want some", r.Killed, r.Lost, r.StreamCut)
		}
	})
}
