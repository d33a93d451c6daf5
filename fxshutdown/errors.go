package fxshutdown

import (
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

	// ErrBudget: the time of the stop is nearly used up, be it that of Stop's
	// context or DrainTimeout.
	ErrBudget = fmt.Errorf("%w: its time is used up", ErrStopping)

	// ErrForced: Close was called, here or on the http.Server, or the context
	// of Stop was cancelled.
	ErrForced = fmt.Errorf("%w: by force", ErrStopping)
)

// AbortedError is the error of a Stop that had to abort requests: they had
// begun, and their clients got no complete response.
type AbortedError struct {
	// Requests are those that were aborted, the oldest first.
	Requests []Request

	// Unbegun counts those that were cut off before their handlers began.
	Unbegun int

	// Reason is why: ErrBudget or ErrForced.
	Reason error
}

// Error names every request by method, path and age, at most ten of them.
func (e *AbortedError) Error() string {
	const most = 10
	var b strings.Builder
	fmt.Fprintf(&b, "%v: %d aborted", e.Reason, len(e.Requests)+e.Unbegun)
	for i, r := range e.Requests {
		if i == most {
			fmt.Fprintf(&b, ", and %d more", len(e.Requests)-most)
			break
		}
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + r.String())
	}
	if e.Unbegun > 0 {
		fmt.Fprintf(&b, "; %d of them had not reached a handler", e.Unbegun)
	}
	return b.String()
}

// Unwrap returns Reason.
func (e *AbortedError) Unwrap() error { return e.Reason }
