package fxhttpadmin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultCheckTimeout is how long a [Check] may take. It is less than the second that
// Kubernetes gives a probe by default, so that the answer still arrives.
const DefaultCheckTimeout = 800 * time.Millisecond

// Check is a condition of readiness: a database that answers, a cache that is warm.
//
// The readiness of the app's fxhttp servers is known already and needs no Check. Consider
// whether a failing dependency should take every instance out of the load balancer at
// once.
type Check struct {
	// Name consists of letters, digits, '.', '-', '_' and '/', such as "database". It
	// must not begin with "server/".
	Name string

	// Func returns nil if the condition holds. Its context ends with the timeout. It may
	// be called while other checks run, but never twice at the same time: probes that
	// arrive at the same time share a call, and a call that does not return fails its
	// check until it does. A panic is a failure. The error is logged, but is not part of
	// the response.
	Func func(context.Context) error
}

// checker calls a Check.
type checker struct {
	check   Check
	timeout time.Duration
	log     func(name string, err error) // called when the result changes; may be nil

	mu     sync.Mutex // guards the fields below
	call   *call      // the one under way, or nil
	failed bool       // the result that was logged last
}

// call is one call of a Check.
type call struct {
	began time.Time
	done  chan struct{} // closed when the call has returned
	err   error         // set before done is closed
}

// result calls the check, or joins the call under way, and waits until that call returns
// or its timeout is over.
func (c *checker) result() error {
	c.mu.Lock()
	running := c.call
	if running == nil {
		running = &call{began: time.Now(), done: make(chan struct{})}
		c.call = running
		go c.run(running)
	}
	c.mu.Unlock()

	timer := time.NewTimer(time.Until(running.began.Add(c.timeout)))
	defer timer.Stop()
	var err error
	select {
	case <-running.done:
		err = running.err
	case <-timer.C:
		err = fmt.Errorf("it did not return within %v", c.timeout)
	}
	c.note(err)
	return err
}

// run is the goroutine of a call. It ends when the check returns, which it must do when
// its context ends.
func (c *checker) run(running *call) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	err := errors.New("it ended its goroutine (runtime.Goexit)")
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("it panicked: %v", v)
		}
		running.err = err
		close(running.done)
		c.mu.Lock()
		c.call = nil
		c.mu.Unlock()
	}()
	err = c.check.Func(ctx)
}

// note logs the result if it has changed.
func (c *checker) note(err error) {
	c.mu.Lock()
	changed := c.failed != (err != nil)
	c.failed = err != nil
	c.mu.Unlock()
	if changed && c.log != nil {
		c.log(c.check.Name, err)
	}
}
