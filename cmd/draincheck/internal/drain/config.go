package drain

import (
	"io"
	"net/http"
	"net/url"
	"time"
)

// Auto, as a number of clients, means: some where the server offers it (or a path for it
// was given), none otherwise.
const Auto = -1

// What Auto becomes, each.
const (
	autoH2         = 2
	autoOnlyH2     = 8
	autoSlow       = 4
	autoStreams    = 4
	autoWebSockets = 4
)

// Limits, so that a mistyped number does not take the machine down.
const (
	maxClients = 10000
	maxRounds  = 10000
	maxBody    = 16 << 20
)

// A Config says what to run and how to load it. Start from [Default]: the zero value has
// no load in it.
type Config struct {
	URL     string   // what to load: http or https, a loopback host
	Command []string // the server's command line
	PID     string   // a running server instead: its process id, or a file that contains it

	StartCommand string   // instead of Command, a command line for the shell that starts the server
	StopCommand  string   // instead of the signal, a command line that stops the server
	Env          []string // added to the command's environment

	Method string      // of all requests but streams and WebSockets, which are GETs
	Body   string      // sent with them
	Header http.Header // sent with every request

	SlowPath   string // path and query for Slow; "" means that of URL
	StreamPath string // path and query for Streams; "" means that of URL
	WSPath     string // path and query for WebSockets; "" means that of URL
	ReadyPath  string // if set, the command is ready once a GET of it is answered with 2xx

	// Numbers of clients: 0 for none; Slow, Streams, WebSockets, H2 and H2C may be Auto.

	KeepAlive     int           // one request after another on a connection
	NewConn       int           // a new connection for each request
	Pipelined     int           // two requests at a time on a connection
	Continue      int           // one request after another, each with Expect: 100-continue
	Paced         int           // one request after another, each client with a pause of its own
	PacedOver     time.Duration // the longest of these pauses
	Pool          int           // connections of one client, of which PoolBusy are in use
	PoolBusy      int           // requests at a time on them
	Slow          int           // one slow request after another, so that one is under way at the signal
	Late          int           // connections made before the signal, first request after it
	LateAfter     time.Duration
	Silent        int // connections that never send a byte
	HalfHeader    int // connections that send half of a request header
	Streams       int // event streams, for each protocol in use
	WebSockets    int
	H2            int // HTTP/2 connections over TLS
	H2C           int // HTTP/2 connections without TLS, by prior knowledge
	H2Concurrency int // requests at a time on each of these

	GRPCMethod string // call this method, "/package.Service/Method", with Body as its message
	GRPC       bool   // set by Run, with GRPCMethod

	CACert    string // a PEM file of the authorities to trust instead of the system's
	Insecure  bool   // verify no certificate
	Cert, Key string // PEM files of a client certificate

	UnixSocket string // connect to this socket; URL gives only the scheme, the Host header and the path

	Signal  string        // the stop signal, such as "TERM"
	Group   bool          // send it to all processes that the command started, too
	Load    time.Duration // time under load before the signal
	Within  time.Duration // the longest time from the signal to the exit
	Ready   time.Duration // the longest time from the start to the first answer
	Timeout time.Duration // for each request
	Pause   time.Duration // of each client between two requests
	Spread  time.Duration // over which the clients of a kind begin
	Rounds  int

	Expect      string        // statuses that are right: "2xx,3xx"
	ExpectAfter string        // those that are right after the signal, too: "503"
	SlowLimit   time.Duration // an answer that takes longer fails the verdict, except of Slow; 0 for no limit

	Target   string // load this, while the instance at URL is stopped and started
	Handover bool   // the signal makes a successor take over, or the process reload

	Diagnose bool // find out what holds a process that does not end

	ExitCode  string // the exit code that the command should end with, "" for any
	FailOnCut bool   // streams and WebSockets that end without a goodbye fail the verdict

	Passthrough io.Writer      // what the command prints is copied here, unless nil
	Progress    func(Progress) // called about ten times a second, unless nil
}

// h2 is the number of HTTP/2 connections, over TLS or not as the loaded server speaks it.
func (c *Config) h2() *int {
	if c.isHTTPS() {
		return &c.H2
	}
	return &c.H2C
}

// isHTTPS says whether the loaded server speaks TLS.
func (c *Config) isHTTPS() bool {
	loaded := c.URL
	if c.Target != "" {
		loaded = c.Target
	}
	u, err := url.Parse(loaded)
	return err == nil && u.Scheme == "https"
}

// Default is the load that the command drives without any flags.
func Default() Config {
	return Config{
		Method:        http.MethodPost,
		Body:          "draincheck",
		Header:        http.Header{},
		KeepAlive:     16,
		NewConn:       8,
		Late:          4,
		LateAfter:     10 * time.Millisecond,
		PoolBusy:      4,
		PacedOver:     200 * time.Millisecond,
		Silent:        2,
		HalfHeader:    2,
		Slow:          Auto,
		Streams:       Auto,
		WebSockets:    Auto,
		H2:            Auto,
		H2C:           Auto,
		H2Concurrency: 4,
		Signal:        "TERM",
		Load:          500 * time.Millisecond,
		Within:        30 * time.Second,
		Ready:         10 * time.Second,
		Timeout:       10 * time.Second,
		Pause:         time.Millisecond,
		Rounds:        1,
		Expect:        "2xx,3xx",
		Diagnose:      true,
	}
}
