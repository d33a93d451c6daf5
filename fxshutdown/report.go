package fxshutdown

import (
	"fmt"
	"slices"
	"time"
)

// Report says what a stop did. Before a stop it is zero; during one it holds
// what is known so far.
//
// The figures balance once the stop is over:
//
//	Requests = Answered + Failed + Hijacked + len(Aborted)
//
// where Requests counts those running when the stop began and those that
// began during it. A request ends with its hijack: one that had hijacked its
// connection before is not among them, though its handler may still run.
type Report struct {
	// Trigger is what began the stop: "stop" (Stop), "close" (Close),
	// "http.Server" (Shutdown or Close of the http.Server).
	Trigger string

	// Began is when the stop began, Duration how long it took.
	Began    time.Time
	Duration time.Duration

	// Phases lists the phases that ran, in order. See the package comment.
	Phases []Phase

	// Connections counts those open when the stop began.
	Connections int

	// Queued counts the connections that were taken from the accept queue after
	// the stop began.
	Queued int

	// Unaccepted counts those that were in it when the listener was closed: their
	// clients were reset. Only Linux tells. AcceptErr is why, if the queue could not
	// be emptied for want of descriptors, or of something else that may pass.
	Unaccepted int
	AcceptErr  error

	// Handshakes counts the clients whose handshakes were still under way when the
	// listener was closed, as far as is known: on Linux, with plain TCP, and a
	// listener that is the server's own. They may have vanished long before.
	Handshakes int

	// Dropped counts the connections that waited for a request, or had sent
	// only a part of its header, and were closed.
	Dropped int

	// Requests counts the requests that were running when the stop began, or
	// began later.
	Requests int

	// Answered counts those of them whose handler returned and whose response
	// was handed to the network. Failed counts those whose handler panicked
	// (http.ErrAbortHandler included). Hijacked counts those whose handler took
	// the connection over.
	Answered int
	Failed   int
	Hijacked int

	// Cancelled lists the requests whose contexts the stop cancelled and that
	// then ended by themselves. They are counted as answered or failed too.
	Cancelled []Request

	// Aborted lists the requests that were cut off. They are Stop's error,
	// unless they are streams. One whose handler had just returned is listed
	// if it was not known yet that net/http had written its response: its client
	// may have got it.
	Aborted []Request

	// Unbegun counts the requests that were read and cut off before their
	// handlers began. They are in no other figure, and are Stop's error too.
	Unbegun int

	// Cut lists the hijacked connections that were closed by the stop, and those
	// whose handlers had closed them but had not returned. One whose protocol a
	// TLSNextProto serves has a RemoteAddr alone.
	Cut []Request

	// Forced is why the stop was not graceful: ErrBudget, ErrForced, or nil.
	Forced error

	// ListenerErr is the error of closing the listener.
	ListenerErr error
}

// Graceful reports whether the stop is over and nothing had to be cut: neither
// a request nor a hijacked connection, nor a client in the accept queue.
func (r Report) Graceful() bool {
	return r.Duration > 0 && r.Forced == nil && len(r.Aborted) == 0 && r.Unbegun == 0 && len(r.Cut) == 0 &&
		r.Unaccepted == 0 && r.AcceptErr == nil
}

func (r Report) clone() Report {
	r.Phases = slices.Clone(r.Phases)
	r.Cancelled = slices.Clone(r.Cancelled)
	r.Aborted = slices.Clone(r.Aborted)
	r.Cut = slices.Clone(r.Cut)
	return r
}

// Phase is a part of a stop.
type Phase struct {
	// Name is "delay", "announce", "listener", "drain" or "force".
	Name string

	// Duration is how long it took.
	Duration time.Duration
}

// Request describes a request, or the request by which a connection was
// hijacked, without anything that may be secret: no query, header or body. Its
// names in JSON are those of the log.
type Request struct {
	// Method and Path are those of the request line.
	Method string `json:"method"`
	Path   string `json:"path"`

	// Proto is the protocol: "HTTP/1.1", "HTTP/2.0".
	Proto string `json:"proto"`

	// RemoteAddr is the client's address.
	RemoteAddr string `json:"remote"`

	// Age is how long ago the request began.
	Age time.Duration `json:"age"`

	// Stream reports that the handler had flushed a part of its response and
	// had asked for [Draining]: it was told to end, and did not.
	Stream bool `json:"stream,omitempty"`

	// Running reports that the handler had not returned when the request was cut off.
	Running bool `json:"running,omitempty"`
}

// String returns the method, the path (quoted, since a client chose it) and the age.
func (r Request) String() string {
	return fmt.Sprintf("%s %q (%v)", r.Method, r.Path, r.Age.Round(time.Millisecond))
}

// Stats is a snapshot of a server's account. Its names in JSON are those of the log.
type Stats struct {
	// Connections by state. Accepted but silent ones are New. A hijacked
	// connection stays Hijacked until it is closed.
	New      int `json:"new"`
	Active   int `json:"active"`
	Idle     int `json:"idle"`
	Hijacked int `json:"hijacked"`

	// InFlight counts the handlers that run now, those of hijacked connections
	// and of reset HTTP/2 streams included.
	InFlight int `json:"in_flight"`

	// Accepted and Closed count connections since Start.
	Accepted uint64 `json:"accepted"`
	Closed   uint64 `json:"closed"`

	// Requests counts the requests begun since Start, "OPTIONS *" included, which
	// net/http answers by itself; Failed those whose handler panicked; Aborted those
	// that a stop cut off.
	Requests uint64 `json:"requests"`
	Failed   uint64 `json:"failed"`
	Aborted  uint64 `json:"aborted"`
}

// Open returns how many connections are open.
func (s Stats) Open() int { return s.New + s.Active + s.Idle + s.Hijacked }
