package fxshutdown

import (
	"log/slog"
	"net"
	"time"
)

// Event is something that happened to a [Server]: a *[Started], a *[Stopping] and
// so on. The types below are all there are; more may be added in a minor version.
// [Describe] says each in words.
type Event interface {
	describe() (level slog.Level, message string, attrs []slog.Attr)
}

// Logger receives a server's events, one at a time and in order, on a
// goroutine of its own: a Logger that blocks or panics delays or breaks
// nothing but its own events. Start and Stop wait for it for 100 ms at most.
type Logger interface{ LogEvent(Event) }

// Started: the server listens and serves.
type Started struct {
	Addr net.Addr
	TLS  bool
}

// AcceptRetrying: the listener failed in a way that may pass, such as
// "too many open files", and will be asked again after Delay.
type AcceptRetrying struct {
	Err   error
	Delay time.Duration
}

// LimitReached: MaxConnections connections are open, and clients wait in the accept
// queue: Stats.Waiting tells how many, where the system does, and the other figures
// tell what the connections do. Elsewhere it is said whether clients wait or not. It
// is said once a minute at most, for as long as that is so.
type LimitReached struct {
	MaxConnections int
	Stats          Stats
}

// ServeFailed: the listener failed for good, under a server that was not
// stopping. Connections that are open stay served until Stop.
type ServeFailed struct{ Err error }

// AgeGraceOver: while the server served, what ran on connections that had retired went
// on for longer than MaxConnectionAgeGrace. Aborted counts the requests that were cut
// off, or had been cancelled and failed then; Closed the hijacked connections that were
// closed. Requests has the oldest of both, 100 at most. It comes once a second at most.
type AgeGraceOver struct {
	Aborted  int
	Closed   int
	Requests []Request
}

// Unready: SetUnready was called, before a stop. Reason is its argument.
type Unready struct{ Reason string }

// Stopping: a stop has begun. Left is the time that its context leaves,
// and zero if it has no deadline. Of it Reserve is left to others, and the
// last Force of the rest is for cancelling and cutting what did not end.
// Delay is the ShutdownDelay. It counts from SetUnready, if that came first: then Unready
// is how long ago, otherwise zero. Skipped says why the delay, or what is left of it, is
// not waited, and is empty if it is.
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
	// SkipTrigger: Stop did not begin the stop, but Close, or the http.Server.
	SkipTrigger SkipReason = "not stopped by Stop"

	// SkipHandedOver: ListenerHandedOver says that a successor accepts from the socket, so
	// nobody has to look away from it.
	SkipHandedOver SkipReason = "a successor has the listener already"

	// SkipUnused: there is nobody to look away.
	SkipUnused SkipReason = "no connection was ever accepted"

	// SkipElapsed: SetUnready was called that long before.
	SkipElapsed SkipReason = "readiness has failed for that long already"

	// SkipNoRoom: the delay does not fit the time that Stop's context leaves.
	SkipNoRoom SkipReason = "the time of the stop has no room for it"
)

// DrainBegan: Draining is closed, the callbacks of RegisterOnShutdown run,
// clients are being told.
type DrainBegan struct{ Stats Stats }

// ListenerClosed: the accept queue was emptied and the listener closed, which took
// Took. Queued connections were taken from the queue. Shared reports that somebody
// else keeps the socket open, so that what was in the queue is left to him.
//
// What was lost, or may be: Flooded reports that the queue would not run empty.
// Unaccepted connections were in it when it was closed (Linux tells), because of
// MaxConnections, or of AcceptErr, if that is set: out of descriptors, most likely.
// Handshakes were still under way. Unfiltered is why new ones could not be kept away,
// though Config.ListenerOwned allowed it.
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

// StillDraining: the drain has taken Waited so far, 2 s, then twice as long each time.
// Left is the time until the force, zero if there is no limit. Requests are those in
// flight and those whose connections are hijacked, the oldest first, 100 at most;
// Stats.InFlight and Stats.Hijacked count all. Hints says what can be done about what
// they show, each once in a stop.
type StillDraining struct {
	Waited   time.Duration
	Left     time.Duration
	Stats    Stats
	Requests []Request
	Hints    []string
}

// RequestsCancelled: the contexts of Count requests, which were still running, were
// cancelled. Requests has the oldest first, 100 at most.
type RequestsCancelled struct {
	Reason   error
	Count    int
	Requests []Request
}

// HijackedClosed: the stop closed a hijacked connection because its grace, or
// the stop's time, was over. Reason is ErrHijackGrace, ErrDraining (of [EndOnDrain]),
// or that of the force. A stop
// says it of the first 100; Stopped has the count of all.
type HijackedClosed struct {
	Request Request
	Reason  error
}

// RequestAborted: the stop cut off a request, or had cancelled it, and it failed then. If
// it was cancelled for MaxConnectionAgeGrace before the stop, Reason is ErrConnectionAge. A
// stop says it of the first 100; Stopped has the count of all.
type RequestAborted struct {
	Request Request
	Reason  error
}

// Stopped: the stop is over. Err is what Stop returns.
type Stopped struct {
	Report Report
	Err    error
}
