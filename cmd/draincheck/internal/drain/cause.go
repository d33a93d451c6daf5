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
	Queue    Cause = "queue"    // reset before it was read, on a new connection: the accept queue
	Idle     Cause = "idle"     // closed before it was read, on a connection that had been in use
	Handler  Cause = "handler"  // read, and the connection or stream ended without an answer
	Response Cause = "response" // the response was cut
	Timeout  Cause = "timeout"  // no answer within -timeout
	Protocol Cause = "protocol" // what came is not a response

	Refused Cause = "refused stream" // HTTP/2: the server says that it was not processed; no loss
	Killed  Cause = "killed"         // draincheck ended the process; no loss of the server's
)

// causes are in the order in which they are reported, each with what usually leads to it
// and what helps.
var causes = []struct {
	cause Cause
	what  string
	hint  string
}{
	{Queue, "a new connection was reset before the server read the request: it was still in the accept queue when the listener was closed",
		"before the listener is closed, accept connections until the queue is empty; or fail the readiness probe first, and listen on until load balancers send new clients elsewhere"},
	{Idle, "a kept connection was closed before the server read the request: the server took it for idle while the request was on its way",
		"first answer with Connection: close (HTTP/2: send GOAWAY), and close a connection only once its client has been quiet"},
	{Handler, "the server read the request and never answered it: the process ended while it worked, or the server dropped what it had read",
		"catch the signal, and end the process only when the last response is written (Go's Shutdown drops requests that the server reads after Shutdown has begun)"},
	{Response, "the response was cut: its end never came",
		"wait until the response is written, and close the connection for writing before closing it completely"},
	{Timeout, "the request was not answered within -timeout",
		"find out what the handler waits for; for a slow server, use fewer clients or a longer -timeout"},
	{Protocol, "the answer is not an HTTP response",
		"find out what serves this port"},
	{Refused, "the server refused the request by GOAWAY or REFUSED_STREAM, without processing it: it is safe to send again, and not a loss",
		"send GOAWAY twice, the first one without a limit (RFC 9113, 6.8): a client that cannot repeat a refused request reports a failure"},
	{Killed, "draincheck cut the request when it killed the process; it does not count as lost",
		"find out why the process did not end"},
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

// cause tells why, as far as a client can. By a reset, the kernel says that the server
// closed the connection with bytes unread. A reset that a server sends on purpose looks
// the same.
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

// resetLooks are the waits before each look for a reset that follows an end of file. On
// loopback the reset is there at once, unless the machine is busy.
var resetLooks = []time.Duration{0, time.Millisecond, 4 * time.Millisecond}

// cutUnread says whether the server closed the connection before it had read all that was
// sent. A read or write of the connection has failed with err. Such a close is a reset, or
// is followed by one.
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
