package fxshutdown

import (
	"log/slog"
	"net"
	"time"
)

// Event is something that happened to a [Server]: a *[Started], a *[StopBegan] and so
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
// "too many open files". The server asks it again after Delay.
type AcceptRetrying struct {
	Err   error
	Delay time.Duration
}

// LimitReached is the event of a server that has MaxConnections open connections while
// clients wait in the accept queue. Stats.InQueue is their number where the system
// provides it, and the other figures show what the connections do. Where the system does
// not provide it, the event comes whether clients wait or not. While the limit holds, it
// comes at most once a minute.
type LimitReached struct {
	MaxConnections int
	Stats          Stats
}

// ServeFailed is the event of a listener that failed for good while the server was not
// stopping. Open connections are served until Stop.
type ServeFailed struct{ Err error }

// AgeGraceOver is the event of requests and hijacked connections that went on for longer
// than MaxConnectionAgeGrace while the server served. (Once a stop has begun, its report
// has them.) Aborted counts the requests that were cut off, or that had been cancelled and
// then failed; HijackedClosed counts the hijacked connections that were closed. Requests
// has the oldest of both, at most 100. The event comes at most once a second.
type AgeGraceOver struct {
	Aborted        int
	HijackedClosed int
	Requests       []Request
}

// Unready is the event of a SetUnready that came before a stop. Reason is its argument.
type Unready struct{ Reason string }

// StopBegan is the event of a stop that has begun. It shows how the stop divides its time.
type StopBegan struct {
	// Trigger is what began the stop.
	Trigger Trigger

	// Timeout is the time that the context of Stop leaves, or zero if it has no deadline.
	Timeout time.Duration

	// Reserve is the part of the Timeout that is left to whatever stops after the server.
	// Force is the last part of the rest: it is for cancelling and cutting what has not
	// ended.
	Reserve time.Duration
	Force   time.Duration

	// ShutdownDelay is the setting. It counts from SetUnready if that came first; then
	// UnreadyFor is how long ago that was, otherwise zero.
	ShutdownDelay time.Duration
	UnreadyFor    time.Duration

	// SkipReason is why the stop does not wait for the delay, or for what is left of it.
	// It is empty if the stop does wait.
	SkipReason SkipReason

	// DrainSpread is the setting, and Spread how much of it there is time for.
	DrainSpread time.Duration
	Spread      time.Duration

	// Stats is from the beginning of the stop.
	Stats Stats
}

// SkipReason is why a stop does not wait for ShutdownDelay.
type SkipReason string

const (
	// SkipTrigger means that the stop was begun by Close or the http.Server, not by Stop.
	SkipTrigger SkipReason = "Close or the http.Server began the stop"

	// SkipHandedOver means that a successor already accepts from the socket, as
	// ListenerHandedOver reported, so that no client has to be sent elsewhere.
	SkipHandedOver SkipReason = "a successor already has the listener"

	// SkipUnused means that there is no client to be sent elsewhere.
	SkipUnused SkipReason = "no connection was ever accepted"

	// SkipElapsed means that SetUnready was called at least ShutdownDelay before.
	SkipElapsed SkipReason = "readiness has already failed for that long"

	// SkipTooLong means that the delay does not fit the time that Stop's context leaves.
	SkipTooLong SkipReason = "it does not fit the stop's time"
)

// DrainBegan is the event of a drain that has begun: Draining is closed, the callbacks
// of RegisterOnShutdown run, and clients are being told to go.
type DrainBegan struct{ Stats Stats }

// ListenerClosed is the event of a listener that was closed after its accept queue was
// emptied. From Flooded on, its fields are about clients that were lost, or may be.
type ListenerClosed struct {
	// Duration is how long the queue took to empty, and Queued counts the connections
	// that were taken from it.
	Duration time.Duration
	Queued   int

	// Shared reports that somebody else keeps the socket open, and takes over what was
	// left in the queue.
	Shared bool

	// Flooded reports that the queue did not run empty, since clients kept coming.
	Flooded bool

	// Unaccepted counts the connections that were still in the queue at the close (known
	// on Linux). The reason is MaxConnections, or AcceptErr if that is set: most likely
	// the process had no descriptors left.
	Unaccepted int
	AcceptErr  error

	// Handshakes counts the clients whose handshakes were still under way.
	Handshakes int

	// FilterErr is why new handshakes could not be kept away, although
	// Config.ListenerOwned allowed it.
	FilterErr error

	// Err is the error of closing the listener.
	Err error
}

// StillDraining is the event of a drain that has taken Waited so far: first 2 s, then
// twice as long each time. Left is the time until the force phase, or zero if there is no
// limit. Requests has those in flight and those whose connections are hijacked, oldest
// first, at most 100; Stats.InFlight and Stats.Hijacked count all. Hints says what can be
// done about these, each hint once per stop.
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
// [EndOnDrain]), or the reason of the force phase. It comes for the first 100 of a stop;
// Stopped has the count of all.
type HijackedClosed struct {
	Request Request
	Reason  error
}

// RequestAborted is the event of a request that the stop cut off, or that failed after
// the stop had cancelled it. If it was cancelled for MaxConnectionAgeGrace before the
// stop, Reason is ErrConnectionAgeGrace. It comes for the first 100 of a stop; Stopped
// has the count of all.
type RequestAborted struct {
	Request Request
	Reason  error
}

// Stopped is the event of a stop that is over. Err is what Stop returns.
type Stopped struct {
	Report Report
	Err    error
}
