package drain

import (
	"errors"
	"os"
	"time"
)

// A Cause is what, seen from the client, became of a request that got no answer.
type Cause string

// Causes. The first six, and Protocol, are losses.
const (
	Queue    Cause = "queue"    // reset unread on a new connection: the accept queue
	Idle     Cause = "idle"     // closed unread on a connection that had been in use
	Handler  Cause = "handler"  // read, and the connection or stream ended without an answer
	Response Cause = "response" // cut in the response
	Timeout  Cause = "timeout"  // no answer within -timeout
	Protocol Cause = "protocol" // what came is not a response

	Refused Cause = "refused stream" // HTTP/2: not processed, says the server; no loss
	Killed  Cause = "killed"         // draincheck ended the process; no loss of the server's
)

// causes has them in the order in which they are reported, each with a sentence on what
// usually leads to it and on what helps.
var causes = []struct {
	cause Cause
	what  string
	hint  string
}{
	{Queue, "reset unread on a new connection: it stood in the accept queue when the listener was closed",
		"accept what is queued before closing the listener, or let a load balancer move on first (a delay before the stop)"},
	{Idle, "closed unread on a kept connection: it was taken for idle while the request was on its way",
		"answer with Connection: close (GOAWAY in HTTP/2) first, and close a connection only once its client has been quiet"},
	{Handler, "read by the server, and never answered: the process ended while it worked, or the server dropped what it had read",
		"end the process only when the last response is written; catch the signal if nothing does (Go's Shutdown drops requests that it reads after it began)"},
	{Response, "cut in the response: its end never came",
		"wait for the response to be written, and close the connection for writing before closing it for good"},
	{Timeout, "not answered within -timeout",
		"look for what the handler waits for; with a slow server use fewer clients or a longer -timeout"},
	{Protocol, "answered with something that is not an HTTP response",
		"look at what serves this port"},
	{Refused, "refused by GOAWAY or REFUSED_STREAM: not processed, safe to send again; no loss",
		"a client that cannot repeat it fails; send GOAWAY twice, the first one without a limit (RFC 9113, 6.8)"},
	{Killed, "cut by draincheck, which killed the process; not counted as lost",
		"see why the process did not end"},
}

// Explain returns what a cause means, and what usually helps.
func (c Cause) Explain() (what, hint string) {
	for _, x := range causes {
		if x.cause == c {
			return x.what, x.hint
		}
	}
	return string(c), ""
}

// An unanswered request is what the client knows about one.
type unanswered struct {
	err      error
	port     int    // of this side's socket, 0 for a unix socket
	stream   uint32 // HTTP/2
	accepted bool   // the server has said something on this connection before
	unread   bool   // the kernel threw bytes away that the server had not read
	begun    bool   // a byte of the response came
	status   int    // of the response, if that much came
	sent     int64
	received int64
	garbled  bool
}

// cause tells why, as far as a client can. A reset is the kernel's word that the server
// closed with bytes unread; one that a server sends on purpose looks the same.
func (u *unanswered) cause() Cause {
	switch {
	case errors.Is(u.err, os.ErrDeadlineExceeded):
		return Timeout
	case u.garbled:
		return Protocol
	case u.begun:
		return Response
	case !u.unread:
		return Handler
	case u.accepted:
		return Idle
	}
	return Queue
}

// resetLooks are the waits between the looks for a reset that follows an end of file. On
// loopback it is there at once, unless the machine is busy.
var resetLooks = []time.Duration{0, time.Millisecond, 4 * time.Millisecond}

// cutUnread says whether the connection, of which a read or write failed with err, was
// closed by a server that had not read all that was sent. Such a close is a reset, or is
// followed by one.
func (c *conn) cutUnread(err error) bool {
	if isReset(err) {
		return true
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	for _, wait := range resetLooks {
		time.Sleep(wait)
		if socketReset(c.raw.Conn) {
			return true
		}
	}
	return false
}
