package fxshutdown_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The error of a stop that could not finish matches the error of its context, as the
// error of http.Server.Shutdown does.
func TestStopErrorIs(t *testing.T) {
	timeout := func(d time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.Background(), d)
	}
	for _, c := range []struct {
		name    string
		set     func(*fxshutdown.Config)
		context func() (context.Context, context.CancelFunc)
		is, not error
		reason  error
	}{
		{"Deadline", func(c *fxshutdown.Config) { c.StopReserve = -1 },
			func() (context.Context, context.CancelFunc) { return timeout(100 * time.Millisecond) },
			context.DeadlineExceeded, context.Canceled, fxshutdown.ErrBudget},
		{"DeadlinePast", func(*fxshutdown.Config) {},
			func() (context.Context, context.CancelFunc) { return timeout(-time.Second) },
			context.DeadlineExceeded, context.Canceled, fxshutdown.ErrBudget},
		{"Reserve", func(c *fxshutdown.Config) { c.StopReserve = 200 * time.Millisecond },
			func() (context.Context, context.CancelFunc) { return timeout(300 * time.Millisecond) },
			context.DeadlineExceeded, context.Canceled, fxshutdown.ErrBudget},
		{"DrainTimeout", func(c *fxshutdown.Config) { c.DrainTimeout = 100 * time.Millisecond },
			func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
			context.DeadlineExceeded, context.Canceled, fxshutdown.ErrBudget},
		{"Canceled", func(*fxshutdown.Config) {},
			func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(50*time.Millisecond, cancel)
				return ctx, cancel
			},
			context.Canceled, context.DeadlineExceeded, fxshutdown.ErrForced},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubbles(t, allModes, func(t *testing.T, m mode) {
				s, _, _ := startHeld(t, m, "/cut", onPipe, idleGrace(5*time.Millisecond), config(c.set))
				ctx, cancel := c.context()
				defer cancel()
				err := s.Stop(ctx)
				if !errors.Is(err, c.is) || errors.Is(err, c.not) {
					t.Errorf("Stop() = %v, want it to match %v and not %v", err, c.is, c.not)
				}
				if !errors.Is(err, c.reason) || !errors.Is(err, fxshutdown.ErrStopping) {
					t.Errorf("Stop() = %v, want it to match %v and ErrStopping", err, c.reason)
				}
			})
		})
	}
	t.Run("Close", func(t *testing.T) {
		s, _, _ := startHeld(t, h1, "/cut")
		if err := s.Close(); err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			t.Errorf("Close() = %v, want an error that is not a context's", err)
		}
	})
	t.Run("ErrBudget", func(t *testing.T) {
		if !errors.Is(fxshutdown.ErrBudget, context.DeadlineExceeded) {
			t.Error("ErrBudget does not match context.DeadlineExceeded")
		}
	})
}
