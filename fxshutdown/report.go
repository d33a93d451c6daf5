package fxshutdown

import (
	"slices"
	"time"
)

// Report says what a stop did. Before a stop it is zero; during one it holds
// what is known so far. It balances at any time:
//
//	Requests = Answered + Failed + Ended + Hijacked + AbortedCount + Undecided
//
// where Requests counts those running when the stop began and those that
// began during it, and Undecided is zero once the stop is over. A request ends with its
// hijack: one that had hijacked its connection before is not among them, though its
// handler may still run.
//
// Each list of requests has the 100 oldest at most, however many there were; the count
// beside it is exact.
//
// The names in JSON are those of the log.
type Report struct {
	// Trigger is what began the stop.
	Trigger Trigger `json:"trigger"`

	// Began is when the stop began, Duration how long it took: zero while it runs.
	// In JSON Duration is text, such as "1.5s".
	Began    time.Time     `json:"began"`
	Duration time.Duration `json:"took"`

	// Phases lists the phases that ran, in order.
	Phases []Phase `json:"phases"`

	// Served counts the requests that were answered since Start, before the stop and
	// during it. All figures below are of the stop alone.
	Served int `json:"served"`

	// Connections counts those open when the stop began.
	Connections int `json:"connections"`

	// Queued counts the connections that were taken from the accept queue after
	// the stop began.
	Queued int `json:"queued"`

	// Unaccepted counts those that were in it when the listener was closed: their
	// clients were reset. Only Linux tells, of TCP. Config.MaxConnections is why, or
	// AcceptErr, if the queue could not be emptied for want of descriptors, or of
	// something else that may pass. In JSON AcceptErr is its text.
	Unaccepted int   `json:"unaccepted,omitempty"`
	AcceptErr  error `json:"-"`

	// Handshakes counts the clients whose handshakes were still under way when the
	// listener was closed, as far as is known: on Linux, with plain TCP, and a
	// listener that is the server's own. They may have vanished long before.
	Handshakes int `json:"handshakes,omitempty"`

	// Dropped counts the connections that waited for a request, or had sent
	// only a part of its header, and were closed.
	Dropped int `json:"dropped"`

	// Requests counts the requests that were running when the stop began, or
	// began later.
	Requests int `json:"requests_in_stop"`

	// Answered counts those of them whose handler returned and whose response
	// was handed to the network. Failed counts those whose handler panicked
	// (http.ErrAbortHandler included), or wrote less than it had declared. Ended
	// counts the streams of [EndOnDrain] whose contexts were cancelled and whose
	// handler then panicked with http.ErrAbortHandler, wrote less than it had declared,
	// or failed to write: they are over as they should be. Hijacked counts those whose
	// handler took the connection over.
	Answered int `json:"answered"`
	Failed   int `json:"failed"`
	Ended    int `json:"ended"`
	Hijacked int `json:"hijacked"`

	// Undecided counts those that run, or whose response is not known to be written.
	Undecided int `json:"undecided"`

	// CancelledCount counts the requests whose contexts the stop cancelled and that
	// then ended by themselves without losing the response, and Cancelled lists them.
	// They are counted as answered too; streams, which may end as they like, as
	// answered, failed or ended.
	CancelledCount int       `json:"cancelled"`
	Cancelled      []Request `json:"cancelled_requests,omitempty"`

	// AbortedCount counts the requests that were cut off, and those that the stop had
	// cancelled and whose handler then panicked, wrote less than it had declared, or
	// failed to write; Aborted lists them. They are Stop's error, unless they are
	// streams. One whose handler had just returned is
	// among them if it was not known yet that net/http had written its response: its
	// client may have got it.
	AbortedCount int       `json:"aborted"`
	Aborted      []Request `json:"aborted_requests,omitempty"`

	// Unbegun counts the requests that were read and cut off before their
	// handlers began. They are in no other figure, and are Stop's error too.
	Unbegun int `json:"unbegun"`

	// CutCount counts the hijacked connections that were closed by the stop, and those
	// whose handlers had closed them but had not returned; Cut lists them. One whose
	// protocol a TLSNextProto serves has a RemoteAddr alone.
	CutCount int       `json:"cut"`
	Cut      []Request `json:"cut_connections,omitempty"`

	// WaitedForCount counts what kept the stop waiting when its time was over, or it was
	// forced: the requests that ran then, streams and hijacked connections included. Many
	// of them end by themselves when their contexts are cancelled, and are in other
	// figures too. WaitedFor lists them.
	WaitedForCount int       `json:"waited_for"`
	WaitedFor      []Request `json:"waited_for_requests,omitempty"`

	// Forced is why the stop was ended by force, and nil if it was not: an error that is
	// ErrBudget or ErrForced, to be compared by errors.Is. In JSON it is its text. A stop
	// that was not forced need not be graceful: see Graceful.
	Forced error `json:"-"`

	// ListenerErr is the error of closing the listener. In JSON it is its text.
	ListenerErr error `json:"-"`
}

// Trigger is what began a stop.
type Trigger string

const (
	TriggerStop       Trigger = "stop"        // Stop
	TriggerClose      Trigger = "close"       // Close
	TriggerHTTPServer Trigger = "http.Server" // Shutdown or Close of the http.Server
)

// PhaseName names a phase of a stop. The package comment says what each does.
type PhaseName string

// The phases, in their order.
const (
	PhaseDelay    PhaseName = "delay"
	PhaseAnnounce PhaseName = "announce"
	PhaseListener PhaseName = "listener"
	PhaseDrain    PhaseName = "drain"
	PhaseForce    PhaseName = "force"
)

// Phase is a part of a stop. In JSON its duration is text, such as "1.5s".
type Phase struct {
	Name     PhaseName     `json:"name"`
	Duration time.Duration `json:"took"`
}

// Graceful reports whether the stop is over and nothing had to be cut: neither
// a request nor a hijacked connection, nor a client in the accept queue.
func (r Report) Graceful() bool {
	return r.Duration > 0 && r.Forced == nil && r.AbortedCount == 0 && r.Unbegun == 0 && r.CutCount == 0 &&
		r.Unaccepted == 0 && r.AcceptErr == nil
}

func (r Report) clone() Report {
	r.Phases = slices.Clone(r.Phases)
	r.Cancelled = slices.Clone(r.Cancelled)
	r.Aborted = slices.Clone(r.Aborted)
	r.Cut = slices.Clone(r.Cut)
	r.WaitedFor = slices.Clone(r.WaitedFor)
	return r
}

// sum fills in the figures that the account has: those of the stop are what was added
// since before. The account knows of a request that was cut off a moment earlier than
// the list does.
func (r *Report) sum(before, now totals) {
	r.Served = int(now.Answered)
	r.Answered = int(now.Answered - before.Answered)
	r.Failed = int(now.Failed - before.Failed)
	r.Ended = int(now.Ended - before.Ended)
	r.Hijacked = int(now.Hijacked - before.Hijacked)
	r.AbortedCount = int(now.Aborted - before.Aborted)
	r.Undecided = int(now.Undecided)
	r.Requests = r.Answered + r.Failed + r.Ended + r.Hijacked + r.AbortedCount + r.Undecided
}

// Request describes a request, or the request by which a connection was
// hijacked, without anything that may be secret: no query, header or body. Its
// names in JSON are those of the log.
//
// Method, Path and RemoteAddr can be shown anywhere, whatever a client has sent: each is
// the inside of a quoted Go string, whose quotes, backslashes, control and bidirectional
// characters are escaped, and has 256 bytes at most; one that is longer is cut and ends
// in "…".
type Request struct {
	// Method and Path are those of the request line.
	Method string `json:"method"`
	Path   string `json:"path"`

	// Proto is the protocol: "HTTP/1.1", "HTTP/2.0".
	Proto string `json:"proto"`

	// RemoteAddr is the client's address.
	RemoteAddr string `json:"remote"`

	// Age is how long ago the request began. In JSON it is text, such as "1.5s".
	Age time.Duration `json:"age"`

	// Stream reports that the handler had flushed a part of its response and
	// had asked for [Draining], or that [EndOnDrain] serves it: it was told to end,
	// and did not.
	Stream bool `json:"stream,omitempty"`

	// Running reports that the handler had not returned when the request was cut off.
	Running bool `json:"running,omitempty"`
}

// String returns the method (quoted, unless it is one by RFC 9110), the path (quoted)
// and the age.
func (r Request) String() string {
	method := shown(r.Method)
	if !isToken(method) {
		method = `"` + method + `"`
	}
	return method + ` "` + shown(r.Path) + `" (` + r.Age.Round(time.Millisecond).String() + ")"
}

// Stats is a snapshot of a server's account. Its names in JSON are those of the log.
// The figures of requests balance:
//
//	Requests = Answered + Failed + Ended + HijackedTotal + Aborted + Undecided
type Stats struct {
	// Connections by state. Accepted but silent ones are New. A hijacked
	// connection stays Hijacked until it is closed.
	New      int `json:"new"`
	Active   int `json:"active"`
	Idle     int `json:"idle"`
	Hijacked int `json:"hijacked"`

	// Waiting counts the clients in the accept queue, of which none of the other figures
	// knows. Linux tells, of a TCP listener; elsewhere it is zero.
	Waiting int `json:"waiting,omitempty"`

	// InFlight counts the handlers that run now, those of hijacked connections
	// and of reset HTTP/2 streams included.
	InFlight int `json:"in_flight"`

	// Undecided counts the requests that run now, or whose response is not known to be
	// written; those of hijacked connections are decided.
	Undecided int `json:"undecided"`

	// Accepted and Closed count connections since Start.
	Accepted uint64 `json:"accepted"`
	Closed   uint64 `json:"closed"`

	// Of those that are closed, Dropped counts those that waited for a request, or had
	// sent a part of its header, when a stop closed them, and Cut those that were closed
	// by force. What is left was closed by the client, behind a response, by a timeout of
	// the http.Server, or by who had hijacked it.
	Dropped uint64 `json:"dropped"`
	Cut     uint64 `json:"cut"`

	// Retired counts those whose clients were told to go while the server served: by
	// MaxConnectionAge or MaxConnectionRequests, which are counted apart too, or by
	// [Server.Retire].
	Retired           uint64 `json:"retired"`
	RetiredByAge      uint64 `json:"retired_by_age"`
	RetiredByRequests uint64 `json:"retired_by_requests"`

	// Requests counts the requests begun since Start, "OPTIONS *" included, which
	// net/http answers by itself; Answered those whose handler returned and whose
	// response was handed to the network; Failed those whose handler panicked, or
	// wrote less than it had declared; Ended the streams that [EndOnDrain] ended (see
	// Report.Ended); HijackedTotal those whose handler took the connection over; Aborted
	// those that a stop cut off, or had cancelled, and that failed then.
	Requests      uint64 `json:"requests"`
	Answered      uint64 `json:"answered"`
	Failed        uint64 `json:"failed"`
	Ended         uint64 `json:"ended"`
	HijackedTotal uint64 `json:"hijacked_total"`
	Aborted       uint64 `json:"aborted"`
}

// Open returns how many connections are open.
func (s Stats) Open() int { return s.New + s.Active + s.Idle + s.Hijacked }
