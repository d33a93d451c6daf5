package truth

import "time"

// maxStall is how long the machine may stall in a round that is judged. Handlers,
// clients and the stop are timed in milliseconds: when one of them does not run for
// longer, what it saw says nothing about when things happened.
const maxStall = 5 * time.Millisecond

// measureStall measures, until the function that it returns is called, how much later
// than asked a goroutine wakes at the most.
func measureStall() (stop func() time.Duration) {
	done, worst := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		for {
			began := time.Now()
			select {
			case <-done:
				worst <- most
				return
			case <-time.After(time.Millisecond):
				most = max(most, time.Since(began)-time.Millisecond)
			}
		}
	}()
	return func() time.Duration {
		close(done)
		return <-worst
	}
}
