package losing

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Env is the environment variable that holds a [Spec] in JSON.
const Env = "DRAINCHECK_LOSING"

// A Way is a way to lose a request or to cut a stream.
type Way string

// Ways to lose an HTTP/1.1 request that was read to its end.
const (
	Reset      Way = "reset"       // reset the connection
	EOF        Way = "eof"         // close it
	HalfHeader Way = "half header" // close it in the middle of the response's header
	Truncated  Way = "truncated"   // close it before as much of the body as was promised
	ChunkCut   Way = "chunk cut"   // close it before the last chunk
	Silence    Way = "silence"     // never answer
	Unread     Way = "unread"      // after the signal: close a kept connection when a request is there, without reading it
	Queued     Way = "queued"      // after the signal: close the listener when the requests are in its queue (Linux)
	Pipelined  Way = "pipelined"   // say close to the first of two pipelined requests, and forget the second
)

// atRequest says whether a request is lost when it has been read.
func (w Way) atRequest() bool { return w != Pipelined && w != Unread && w != Queued }

// Ways to lose an HTTP/2 request, or to have it refused.
const (
	StreamReset     Way = "stream reset"     // RST_STREAM INTERNAL_ERROR
	StreamRefused   Way = "stream refused"   // RST_STREAM REFUSED_STREAM: no loss
	StreamTruncated Way = "stream truncated" // END_STREAM before as much of the body as was promised
	BelowGoAway     Way = "below goaway"     // after the signal: GOAWAY names the stream as processed, and no answer comes
	AboveGoAway     Way = "above goaway"     // after the signal: GOAWAY does not name the stream: no loss
	ConnReset       Way = "connection reset" // after the signal: reset the connection and all its streams, without GOAWAY
)

// Victims of HTTP/1.1 ways.
const (
	KeepAlive = "keepalive" // requests that do not say Connection: close
	NewConn   = "newconn"   // those that do
)

// A Spec says what to serve and what to lose.
type Spec struct {
	Addr  string
	Stats string // the file that Stats are written to

	Cert, Key string // PEM files; with them it serves TLS, and HTTP/2 to those who ask for it

	Way    Way
	N      int    // how many to lose
	Victim string // KeepAlive or NewConn, for HTTP/1.1
	After  bool   // lose requests that were read after the signal, rather than before it

	// HTTP/2: this many requests at a time are on a connection, which BelowGoAway,
	// AboveGoAway and ConnReset wait for.
	Concurrency int

	CutStreams    Way // how to end the first N streams at the signal: Reset or EOF, the others get a goodbye
	CutWebSockets Way // likewise
	Cuts          int // N of them

	Status      int // answer with it, 0 for 200
	StatusAfter int // after the signal, 0 for Status

	// Servers that lose nothing, each with something that could be taken for a loss.
	Single      bool          // serve one connection at a time, to its end
	Latency     time.Duration // answer that late
	Rate        int           // answers a second; more requests get a 429
	HTTP10      bool          // answer in HTTP/1.0, whose responses end with the connection
	OnlyHTTP2   bool          // close a connection that begins with anything else
	HeaderTable *uint32       // HTTP/2: SETTINGS_HEADER_TABLE_SIZE
	GRPC        *int          // answer with this grpc-status
	ClientCA    string        // a PEM file: ask for a certificate that it has signed
	Unix        string        // listen at this socket instead of Addr

	IgnoreSignal bool
	Handover     bool          // SIGHUP makes a successor take over the listener (Unix)
	Mute         bool          // accept, read, and never answer anything
	ExitAfter    time.Duration // exit by itself after this time, with code 3
	Quiet        time.Duration // after the signal, close connections that have asked for nothing for so long
}

// Stats are the server's own accounts. Requests for /ready are in none of them.
type Stats struct {
	Received int // requests read to their end
	Answered int // requests of them that were answered completely
	Lost     int // requests that were lost as the Spec wants it
	Refused  int // HTTP/2 streams that were refused
	Polite   int // streams and WebSockets ended with a goodbye
	Cut      int // streams and WebSockets ended without one
}

// Environ is s as an entry of an environment.
func (s Spec) Environ() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return Env + "=" + string(b)
}

// Main is the server, if this process is to be one. Otherwise it does nothing.
func Main() {
	text := os.Getenv(Env)
	if text == "" {
		return
	}
	var spec Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		fmt.Fprintln(os.Stderr, "losing:", err)
		os.Exit(9)
	}
	if err := serve(spec); err != nil {
		fmt.Fprintln(os.Stderr, "losing:", err)
		os.Exit(9)
	}
	os.Exit(0)
}
