package fxshutdown

import (
	"log/slog"
	"net"
	"time"
)

// Event is something that happened to a [Server]: a *[Started], a *[Stopping] and so
// on. Only the types in this package implement it; a minor version may add more.
// [Describe] puts each into words.
type Event interface {
	describe() (level slog.Level, message string, attrs []slog.Attr)
}

// Logger receives a server's events, one at a time and in order, on a goroutine of its
// own. A Logger that blocks or panics affects only its own events. Start and Stop wait
// for it for at most 100 ms.
type Logger interface{ LogEvent(Event) }

// Started is the event of a server that listens and serves.
type Started struct {
	Addr net.Addr
	TLS  bool
}

// AcceptRetrying is the event of a listener that failed in a way that may pass, such as
// "too many open files". It will be asked again after Delay.
type AcceptRetrying struct {
	Err   error
	Delay time.Duration
}

// LimitReached is the event of a server that has MaxConnections open connections while
// clients wait in the accept queue. Stats.Waiting is their number where the system
// provides it, and the other figures show what the connections do. Where the system does
// not, the event comes whether clients wait or not. While the limit holds, it comes at
// most once a minute.
type LimitReached struct {
	MaxConnections int
	Stats          Stats
}

// ServeFailed is the event of a listener that failed for good while the server was not
// stopping. Open connections are served until Stop.
type ServeFailed struct{ Err error }

// AgeGraceOver is the event of requests and hijacked connections that went on for longer
// than MaxConnectionAgeGrace while the server served. Aborted counts the requests that
// were cut off, or that had been cancelled and then failed; Closed counts the hijacked
// connections that were closed. Requests has the oldest of both, at most 100. The event
// comes at most once a second.
type AgeGraceOver struct {
	Aborted  int
	Closed   int
	Requests []Request
}

// Unready is the event of a SetUnready that came before a stop. Reason is its argument.
type Unready struct{ Reason string }

// Stopping is the event of a stop that has begun. Left is the time that its context
// leaves, or zero if it has no deadline. Of that time, Reserve is left to others, and the
// last part of the rest, Force, is for cancelling and cutting what did not end.
//
// Delay is the ShutdownDelay. It counts from SetUnready if that came first; then Unready
// is how long ago that was, otherwise zero. Skipped is why the stop does not wait for the
// delay, or for what is left of it, and empty if it does.
//
// Spread is the DrainSpread, and Spreads how much of it there is time for.
type Stopping struct {
	Trigger Trigger
	Left    time.Duration
	Delay   time.Duration
	Unready time.Duration
	Reserve time.Duration
	Force   time.Duration
	Skipped SkipReason
	Spread  time.Duration
	Spreads time.Duration
	Stats   Stats
}

// SkipReason is why a stop does not wait for ShutdownDelay.
type SkipReason string

const (
	// SkipTrigger means that the stop was begun by Close or the http.Server, not by Stop.
	SkipTrigger SkipReason = "not stopped by Stop"

	// SkipUnused means that there is nobody to look away.
	SkipUnused SkipReason = "no connection was ever accepted"

	// SkipElapsed means that SetUnready was called at least that long before.
	SkipElapsed SkipReason = "readiness has failed for that long already"

	// SkipNoRoom means that the delay does not fit the time that Stop's context leaves.
	SkipNoRoom SkipReason = "it does not fit the time of the stop"
)

// DrainBegan is the event of a drain that has begun: Draining is closed, the callbacks
// of RegisterOnShutdown run, and clients are being told to go.
type DrainBegan struct{ Stats Stats }

// ListenerClosed is the event of a listener that was closed after its accept queue was
// emptied, which took Took. Queued counts the connections that were taken from the queue.
// Shared reports that somebody else keeps the socket open, and takes over what was left
// in the queue.
//
// The other fields are about clients that were lost, or may be. Flooded reports that the
// queue would not run empty. Unaccepted counts the connections that were in it at the
// close (known on Linux), because of MaxConnections, or because of AcceptErr if that is
// set, most likely for want of descriptors. Handshakes counts those that were still
// under way. Unfiltered is why new ones could not be kept away, although
// Config.ListenerOwned allowed it.
type ListenerClosed struct {
	Queued     int
	Shared     bool
	Flooded    bool
	Unaccepted int
	AcceptErr  error
	Handshakes int
	Unfiltered error
	Took       time.Duration
	Err        error
}

// StillDraining is the event of a drain that has taken Waited so far: first 2 s, then
// twice as long each time. Left is the time until the force, or zero if there is no
// limit. Requests has those in flight and those whose connections are hijacked, oldest
// first, at most 100; Stats.InFlight and Stats.Hijacked count all. Hints says what can be
// done about what they show, each hint once per stop.
type StillDraining struct {
	Waited   time.Duration
	Left     time.Duration
	Stats    Stats
	Requests []Request
	Hints    []string
}

// RequestsCancelled is the event of Count running requests whose contexts were
// cancelled. Requests has them oldest first, at most 100.
type RequestsCancelled struct {
	Reason   error
	Count    int
	Requests []Request
}

// HijackedClosed is the event of a hijacked connection that the stop closed because its
// grace, or the stop's time, was over. Reason is ErrHijackGrace, ErrDraining (of
// [EndOnDrain]), or that of the force. It comes for the first 100 of a stop; Stopped has
// the count of all.
type HijackedClosed struct {
	Request Request
	Reason  error
}

// RequestAborted is the event of a request that the stop cut off, or that failed after
// the stop had cancelled it. If it was cancelled for MaxConnectionAgeGrace before the
// stop, Reason is ErrConnectionAge. It comes for the first 100 of a stop; Stopped has the
// count of all.
type RequestAborted struct {
	Request Request
	Reason  error
}

// Stopped is the event of a stop that is over. Err is what Stop returns.
type Stopped struct {
	Report Report
	Err    error
}
