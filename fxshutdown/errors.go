package fxshutdown

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Errors of [Server.Start].
var (
	// ErrStarted is returned by a Start that follows another.
	ErrStarted = errors.New("fxshutdown: server already started")

	// ErrStopped is returned by a Start that follows, or was interrupted by,
	// Stop or Close. Like an http.Server, a Server serves once.
	ErrStopped = errors.New("fxshutdown: server was stopped")
)

// Causes of cancelled request contexts, to be compared by errors.Is with
// context.Cause(r.Context()), and reasons in a [Report].
var (
	// ErrStopping is every cancellation by a stop; the others wrap it.
	ErrStopping = errors.New("fxshutdown: the server is stopping")

	// ErrRequestGrace: the request was still running RequestGrace into the drain.
	ErrRequestGrace = fmt.Errorf("%w: RequestGrace is over", ErrStopping)

	// ErrHijackGrace: the hijacked connection was still open HijackGrace into the
	// drain. It is a reason only; contexts are not cancelled for it.
	ErrHijackGrace = fmt.Errorf("%w: HijackGrace is over", ErrStopping)

	// ErrDraining: the connection of the request was told to go, and EndOnDrain serves
	// the request. It is not an ErrStopping: a connection may be told for itself.
	ErrDraining = errors.New("fxshutdown: the connection was told to go, and EndOnDrain ended the request")

	// ErrBudget: the time of the stop is nearly used up, be it that of Stop's
	// context or DrainTimeout. It is a context.DeadlineExceeded too, as the error of
	// an http.Server's Shutdown is.
	ErrBudget error = &reason{"its time is used up", []error{ErrStopping, context.DeadlineExceeded}}

	// ErrForced: Close was called, here or on the http.Server, or the context
	// of Stop was cancelled: then the error is a context.Canceled too.
	ErrForced = fmt.Errorf("%w: by force", ErrStopping)
)

// ErrConnectionAge is the cause of a request context that was cancelled, and the reason
// why a connection was cut, while the server served: what ran on a connection that had
// retired went on for longer than MaxConnectionAgeGrace.
var ErrConnectionAge = errors.New("fxshutdown: MaxConnectionAgeGrace is over")

// errCanceled is the ErrForced of a Stop whose context was cancelled.
var errCanceled error = &reason{"by force, its context was cancelled", []error{ErrForced, context.Canceled}}

// reason is a reason that is several errors.
type reason struct {
	text string
	is   []error
}

func (r *reason) Error() string   { return ErrStopping.Error() + ": " + r.text }
func (r *reason) Unwrap() []error { return r.is }

// AbortedError is the error of a Stop that had to abort requests: they had
// begun, and their clients got no complete response. By errors.Is it is its Reason, and
// so context.DeadlineExceeded for a stop that ran out of time, and context.Canceled for
// one whose context was cancelled.
type AbortedError struct {
	// Count counts the requests that were aborted, those that are streams excepted. (See
	// Request.Stream.)
	Count int

	// Requests are those requests, the oldest first, and 100 at most.
	Requests []Request

	// Unbegun counts those that were cut off before their handlers began. They are not
	// in Count.
	Unbegun int

	// Reason is why: an error that is ErrBudget, ErrForced or ErrRequestGrace, or
	// ErrStopping alone. To be compared by errors.Is.
	Reason error
}

// Error is a line that names the requests by method, path and age, ten of them at most.
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
