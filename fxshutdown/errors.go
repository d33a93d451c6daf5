package fxshutdown

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Errors of [Server.Start].
var (
	// ErrStarted is returned by a Start that follows another one.
	ErrStarted = errors.New("fxshutdown: server already started")

	// ErrStopped is returned by a Start that follows, or was interrupted by,
	// Stop or Close. Like an http.Server, a Server serves once.
	ErrStopped = errors.New("fxshutdown: server was stopped")
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

	// ErrBudget means that the time of the stop, that of Stop's context or DrainTimeout,
	// is nearly used up. It is a context.DeadlineExceeded too, like the error of an
	// http.Server's Shutdown.
	ErrBudget error = &reason{"its time is used up", []error{ErrStopping, context.DeadlineExceeded}}

	// ErrForced means that Close was called, here or on the http.Server, or that the
	// context of Stop was cancelled. In the latter case the error is a context.Canceled
	// too.
	ErrForced = fmt.Errorf("%w: by force", ErrStopping)
)

// ErrConnectionAgeGrace means that a request or a hijacked connection went on for longer
// than MaxConnectionAgeGrace after its connection had retired. It is the cause of a
// context that was cancelled, and the reason why a connection was cut, while the server
// served.
var ErrConnectionAgeGrace = errors.New("fxshutdown: MaxConnectionAgeGrace is over")

// errCanceled is the ErrForced of a Stop whose context was cancelled.
var errCanceled error = &reason{"by force, its context was cancelled", []error{ErrForced, context.Canceled}}

// reason is a reason that is several errors.
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

	// Requests has the oldest of them, oldest first, at most 100.
	Requests []Request

	// Unbegun counts the requests that were cut off before their handlers began. They are
	// not in Count.
	Unbegun int

	// Reason is an error that is ErrBudget, ErrForced or ErrRequestGrace, or only
	// ErrStopping. Compare it with errors.Is.
	Reason error
}

// Error returns a line that names at most ten of the requests by method, path and age.
func (e *AbortedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %d aborted", e.Reason, e.Count+e.Unbegun)
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
		fmt.Fprintf(&b, "; %d of them had not reached a handler", e.Unbegun)
	}
	return b.String()
}

// Unwrap returns Reason.
func (e *AbortedError) Unwrap() error { return e.Reason }
