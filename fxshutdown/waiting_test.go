package fxshutdown_test

import (
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// patience is how long a test waits for what should come soon. It ends a test that hangs,
// and measures nothing.
const patience = 30 * time.Second

// slack is what a busy machine may add to a time on the wall clock.
const slack = 500 * time.Millisecond

const (
	// grace is the IdleGrace of servers in bubbles.
	grace = fxshutdown.DefaultIdleGrace

	// quickGrace is the IdleGrace of servers on real sockets whose tests are not about it.
	quickGrace = 10 * ms

	// bound is how long a connection that waits can hold a stop, whatever its client
	// does.
	bound = grace + 500*time.Millisecond

	// atOnce is how long a stop that waits for nothing may take.
	atOnce = 10 * time.Millisecond

	ms = time.Millisecond
)

// receive waits for a value, or for the channel to be closed.
func receive[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("%s: nothing in %v", what, patience)
		panic("unreachable")
	}
}

// pending checks that nothing has come from ch so far.
func pending[T any](t testing.TB, what string, ch <-chan T) {
	t.Helper()
	select {
	case v := <-ch:
		t.Errorf("%s: %v already", what, v)
	default:
	}
}

// eventually waits for a condition for which there is no event.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !within(cond) {
		t.Errorf("not so in %v: %s", patience, what)
	}
}

// within reports whether cond becomes true while a test has patience.
func within(cond func() bool) bool {
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// took checks a time that was measured in a bubble.
func took(t testing.TB, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least || got > most {
		t.Errorf("%s took %v, want %v to %v", what, got, least, most)
	}
}
