package fxshutdown

import (
	"slices"
	"time"
)

// Report says what a stop did. Before a stop it is zero; during one it holds
// what is known so far. Its figures add up at any time:
//
//	Requests = Answered + Failed + Ended + Hijacks + Aborted + Undecided
//
// Requests counts those that were running when the stop began and those that began during
// it, and Undecided is zero once the stop is over. For these figures a request ends when
// it hijacks its connection: one that did so before the stop is not counted, although its
// handler may still be running.
//
// A list, such as AbortedRequests, has at most the 100 oldest; the count beside it is exact.
//
// The names in JSON are those of the log.
type Report struct {
	// Trigger is what began the stop.
	Trigger Trigger `json:"trigger"`

	// Began is when the stop began. Duration is how long it took, and zero while it
	// runs. In JSON, Duration is text, such as "1.5s".
	Began    time.Time     `json:"began"`
	Duration time.Duration `json:"took"`

	// Phases lists the phases that ran, in order.
	Phases []Phase `json:"phases"`

	// Served counts the requests that were answered since Start, before the stop and
	// during it (up to 2,147,483,647 where an int has 32 bits). All figures below concern
	// the stop alone.
	Served int `json:"served"`

	// Connections counts the connections that were open when the stop began.
	Connections int `json:"connections"`

	// Queued counts the connections that were taken from the accept queue after
	// the stop began.
	Queued int `json:"queued"`

	// Unaccepted counts the connections that were in the queue when the listener was
	// closed: their clients were reset. It is known only on Linux, for TCP. The reason is
	// Config.MaxConnections, or AcceptErr if the queue could not be emptied because
	// descriptors ran out, or for another reason that may pass. In JSON, AcceptErr is its
	// text.
	Unaccepted int   `json:"unaccepted,omitempty"`
	AcceptErr  error `json:"-"`

	// Handshakes counts the clients whose handshakes were still under way when the
	// listener was closed. It is known on Linux, with plain TCP, for a listener that is
	// the server's own. Some of these clients may have vanished long before.
	Handshakes int `json:"handshakes,omitempty"`

	// IdleClosed counts the connections that were closed while they waited for a request,
	// or had sent only part of its header.
	IdleClosed int `json:"idle_closed"`

	// Requests counts the requests that were running when the stop began, or
	// began later.
	Requests int `json:"requests_in_stop"`

	// Answered counts those of them whose handler returned and whose response was handed
	// to the network. Failed counts those whose handler panicked (including with
	// http.ErrAbortHandler) or wrote less than it had declared. Ended counts the streams
	// of [EndOnDrain] whose contexts were cancelled and whose handlers then panicked with
	// http.ErrAbortHandler, wrote less than they had declared, or failed to write: they
	// ended as they should. Hijacks counts those whose handler took over the connection.
	Answered int `json:"answered"`
	Failed   int `json:"failed"`
	Ended    int `json:"ended"`
	Hijacks  int `json:"hijacks"`

	// Undecided counts those that are running, or whose response is not known to be
	// written yet.
	Undecided int `json:"undecided"`

	// Cancelled counts the requests whose contexts the stop cancelled, and that then
	// ended on their own without losing the response; the others are Aborted. They also
	// count as answered; streams, which may end in any way, count as answered, failed or
	// ended.
	Cancelled         int       `json:"cancelled"`
	CancelledRequests []Request `json:"cancelled_requests,omitempty"`

	// Aborted counts the requests that were cut off, and those that the stop had
	// cancelled and whose handler then panicked, wrote less than it had declared, or
	// failed to write. They make Stop return an error, unless they are streams. A request
	// whose handler had just returned is among them if net/http was not yet known to have
	// written its response; its client may have received it.
	Aborted         int       `json:"aborted"`
	AbortedRequests []Request `json:"aborted_requests,omitempty"`

	// Unbegun counts the requests that were read and cut off before their handlers
	// began. They are in no other figure, and make Stop return an error too.
	Unbegun int `json:"unbegun"`

	// HijackedClosed counts the hijacked connections that the stop closed, and those
	// whose handlers had closed them but had not returned. The list has the requests that
	// hijacked them. A connection whose protocol is served by a TLSNextProto has only a
	// RemoteAddr.
	HijackedClosed         int       `json:"hijacked_closed"`
	HijackedClosedRequests []Request `json:"hijacked_closed_requests,omitempty"`

	// WaitedFor counts what kept the stop waiting when its time was over, or when it was
	// forced: the requests that were running then, including streams and hijacked
	// connections. Many of them end on their own when their contexts are cancelled, and
	// are in other figures too.
	WaitedFor         int       `json:"waited_for"`
	WaitedForRequests []Request `json:"waited_for_requests,omitempty"`

	// Forced is why the stop was ended by force: ErrBudget or ErrForced, to be compared
	// with errors.Is, or nil if it was not. In JSON it is text. A stop that was not
	// forced need not be graceful: see Graceful.
	Forced error `json:"-"`

	// ListenerErr is the error of closing the listener, if any. In JSON it is text.
	ListenerErr error `json:"-"`
}

// Trigger is what began a stop.
type Trigger string

const (
	TriggerStop       Trigger = "stop"        // Stop
	TriggerClose      Trigger = "close"       // Close
	TriggerHTTPServer Trigger = "http.Server" // Shutdown or Close of the http.Server
)

// PhaseName names a phase of a stop. The package comment describes the phases.
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

// Graceful reports whether the stop is over and nothing had to be cut: no request, no
// hijacked connection, and no client in the accept queue.
func (r Report) Graceful() bool {
	return r.Duration > 0 && r.Forced == nil && r.Aborted == 0 && r.Unbegun == 0 && r.HijackedClosed == 0 &&
		r.Unaccepted == 0 && r.AcceptErr == nil
}

func (r Report) clone() Report {
	r.Phases = slices.Clone(r.Phases)
	r.CancelledRequests = slices.Clone(r.CancelledRequests)
	r.AbortedRequests = slices.Clone(r.AbortedRequests)
	r.HijackedClosedRequests = slices.Clone(r.HijackedClosedRequests)
	r.WaitedForRequests = slices.Clone(r.WaitedForRequests)
	return r
}

// Request describes a request, or the request with which a connection was hijacked,
// without anything that may be secret: no query, header or body. Its names in JSON are
// those of the log.
//
// Method, Path and RemoteAddr can be shown anywhere, whatever a client has sent. Each is
// the inside of a quoted Go string, with quotes, backslashes, control and bidirectional
// characters escaped, and has at most 256 bytes; a longer one is cut and ends in "…".
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

	// Stream reports that the handler had flushed part of its response and had asked
	// for [Draining], or that [EndOnDrain] serves the request: it was told to end, and
	// did not.
	Stream bool `json:"stream,omitempty"`

	// Running reports that the handler had not returned when the request was cut off.
	Running bool `json:"running,omitempty"`
}

// String returns the method (quoted, unless it is a token of RFC 9110), the path (quoted)
// and the age.
func (r Request) String() string {
	method := shown(r.Method)
	if !isToken(method) {
		method = `"` + method + `"`
	}
	return method + ` "` + shown(r.Path) + `" (` + r.Age.Round(time.Millisecond).String() + ")"
}

// Stats is a snapshot of a server's account. Its names in JSON are those of the log.
// The figures of requests add up:
//
//	Requests = Answered + Failed + Ended + Hijacks + Aborted + Undecided
type Stats struct {
	// New, Active, Idle and Hijacked count connections by state. Those that were
	// accepted and have sent nothing are New. A hijacked connection stays Hijacked until
	// it is closed.
	New      int `json:"new"`
	Active   int `json:"active"`
	Idle     int `json:"idle"`
	Hijacked int `json:"hijacked"`

	// InQueue counts the clients in the accept queue, which are in none of the other
	// figures. It is known on Linux, for a TCP listener; elsewhere it is zero.
	InQueue int `json:"in_queue,omitempty"`

	// InFlight counts the handlers that are running, including those of hijacked
	// connections and of reset HTTP/2 streams.
	InFlight int `json:"in_flight"`

	// Undecided counts the requests that are running, or whose response is not known to
	// be written yet. Requests of hijacked connections are decided.
	Undecided int `json:"undecided"`

	// Accepted and Closed count connections since Start.
	Accepted uint64 `json:"accepted"`
	Closed   uint64 `json:"closed"`

	// IdleClosed and Cut count closed connections. IdleClosed ones were closed by a stop
	// while they waited for a request, or had sent only part of its header; Cut ones were
	// closed by force. The rest were closed by the client, after a response, by a timeout
	// of the http.Server, or by whoever had hijacked them.
	IdleClosed uint64 `json:"idle_closed"`
	Cut        uint64 `json:"cut"`

	// Retired counts the connections whose clients were told to go while the server
	// served: because of MaxConnectionAge or MaxRequestsPerConnection, which are also
	// counted separately, or by [Server.Retire].
	Retired           uint64 `json:"retired"`
	RetiredByAge      uint64 `json:"retired_by_age"`
	RetiredByRequests uint64 `json:"retired_by_requests"`

	// Requests counts the requests begun since Start, including "OPTIONS *", which
	// net/http answers itself. Answered counts those whose handler returned and whose
	// response was handed to the network; Failed those whose handler panicked, or wrote
	// less than it had declared; Ended the streams that [EndOnDrain] ended (see
	// Report.Ended); Hijacks those whose handler took over the connection; Aborted those
	// that a stop cut off, or that failed after a stop had cancelled them.
	Requests uint64 `json:"requests"`
	Answered uint64 `json:"answered"`
	Failed   uint64 `json:"failed"`
	Ended    uint64 `json:"ended"`
	Hijacks  uint64 `json:"hijacks"`
	Aborted  uint64 `json:"aborted"`
}

// Open returns how many connections are open.
func (s Stats) Open() int { return s.New + s.Active + s.Idle + s.Hijacked }
