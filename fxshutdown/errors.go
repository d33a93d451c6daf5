package fxshutdown

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Errors of [Server.Start].
var (
	// ErrStarted is returned by a Start that follows another one, unless that one failed.
	ErrStarted = errors.New("fxshutdown: the server was already started")

	// ErrStopped is returned by a Start that comes after Stop or Close, or is interrupted
	// by one of them. Like an http.Server, a Server serves once.
	ErrStopped = errors.New("fxshutdown: the server was stopped, and cannot be started again")
)

// Causes of cancelled request contexts, to be compared with context.Cause(r.Context())
// through errors.Is, and reasons in a [Report].
var (
	// ErrStopping stands for every cancellation by a stop; the others, except
	// ErrDraining and ErrConnectionAgeGrace, wrap it.
	ErrStopping = errors.New("fxshutdown: the server is stopping")

	// ErrRequestGrace means that the request was still running RequestGrace into the
	// drain.
	ErrRequestGrace = fmt.Errorf("%w: RequestGrace is over", ErrStopping)

	// ErrHijackGrace means that the hijacked connection was still open HijackGrace into
	// the drain. It is only a reason; contexts are not cancelled for it.
	ErrHijackGrace = fmt.Errorf("%w: HijackGrace is over", ErrStopping)

	// ErrDraining means that the connection of the request was told to go, and that
	// EndOnDrain serves the request. It is not an ErrStopping: a single connection may be
	// told to go while the server serves.
	ErrDraining = errors.New("fxshutdown: the connection was told to go, and EndOnDrain ended the request")

	// ErrBudget means that the stop has nearly used up its time: that of Stop's context,
	// less StopReserve, or DrainTimeout. It is a context.DeadlineExceeded too, like the
	// error of an http.Server's Shutdown.
	ErrBudget error = &reason{"no time left (stop timeout less StopReserve, or DrainTimeout)", []error{ErrStopping, context.DeadlineExceeded}}

	// ErrForced means that Close was called, here or on the http.Server (fxhttp's
	// WithForceSignals calls it too), or that the context of Stop was cancelled. In the
	// latter case the error is also a context.Canceled. Handlers get no time then.
	ErrForced = fmt.Errorf("%w: forced by Close", ErrStopping)
)

// ErrConnectionAgeGrace means that a request or a hijacked connection went on for longer
// than MaxConnectionAgeGrace after its connection had retired. It is the cause of a
// context that was cancelled, and the reason why a connection was cut, while the server
// served.
var ErrConnectionAgeGrace = errors.New("fxshutdown: MaxConnectionAgeGrace is over")

// errCanceled is the ErrForced of a Stop whose context was cancelled.
var errCanceled error = &reason{"forced, because Stop's context was cancelled", []error{ErrForced, context.Canceled}}

// reason is an error that is several others too.
type reason struct {
	text string
	is   []error
}

func (r *reason) Error() string   { return ErrStopping.Error() + ": " + r.text }
func (r *reason) Unwrap() []error { return r.is }

// AbortedError is the error of a Stop that had to abort requests: they had begun, and
// their clients got no complete response. It unwraps to its Reason, so errors.Is finds
// context.DeadlineExceeded for a stop that ran out of time, and context.Canceled for one
// whose context was cancelled.
type AbortedError struct {
	// Count counts the aborted requests, except streams (see Request.Stream).
	Count int

	// Requests lists at most 100 of them: the oldest, oldest first.
	Requests []Request

	// Unbegun counts the requests that were cut off before their handlers began. They are
	// not in Count.
	Unbegun int

	// Reason is ErrBudget, ErrForced, ErrRequestGrace or ErrStopping, or wraps one of
	// them: compare it with errors.Is.
	Reason error
}

// Error returns a line that names at most ten of the requests by method, path and age.
func (e *AbortedError) Error() string {
	var b strings.Builder
	what := "requests"
	if e.Count+e.Unbegun == 1 {
		what = "request"
	}
	fmt.Fprintf(&b, "%v: %d %s aborted", e.Reason, e.Count+e.Unbegun, what)
	named := e.Requests[:min(len(e.Requests), maxNamed)]
	for i, r := range named {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + r.String())
	}
	if more := e.Count - len(named); more > 0 && len(named) > 0 {
		fmt.Fprintf(&b, ", and %d more", more)
	}
	if e.Unbegun > 0 {
		fmt.Fprintf(&b, "; %d had not reached a handler", e.Unbegun)
	}
	return b.String()
}

// Unwrap returns Reason.
func (e *AbortedError) Unwrap() error { return e.Reason }
