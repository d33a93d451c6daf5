package drain

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// Auto, as a number of clients, means: some where the server offers it (or a path for it was given), none otherwise.
const Auto = -1

// What Auto becomes, each.
const (
	autoH2         = 2
	autoSlow       = 4
	autoStreams    = 4
	autoWebSockets = 4
)

// Limits keep a slip of the finger from taking the machine down.
const (
	maxClients = 10000
	maxRounds  = 10000
	maxBody    = 16 << 20
)

// A Config says what to run and how to load it. Start from [Default]: the zero value has no load in it.
type Config struct {
	URL     string   // what to load: http or https, a loopback host
	Command []string // the server's command line
	Env     []string // added to the command's environment

	Method string      // of all requests but streams and WebSockets, which are GETs
	Body   string      // sent with them
	Header http.Header // sent with every request

	SlowPath   string // path and query for Slow; "" means that of URL
	StreamPath string // path and query for Streams; "" means that of URL
	WSPath     string // path and query for WebSockets; "" means that of URL
	ReadyPath  string // if set, the command is ready once a GET of it is answered with 2xx

	// Numbers of clients: 0 for none; Slow, Streams, WebSockets, H2 and H2C may be Auto.

	KeepAlive     int // one request after another on a connection
	NewConn       int // a new connection for each request
	Pipelined     int // two requests at a time on a connection
	Pool          int // connections of one client, of which PoolBusy are in use
	PoolBusy      int // requests at a time on them
	Slow          int // one slow request after another, so that one is under way at the signal
	Late          int // connections made before the signal, first request after it
	LateAfter     time.Duration
	Silent        int // connections that never send a byte
	HalfHeader    int // connections that send half of a request header
	Streams       int // event streams, for each protocol in use
	WebSockets    int
	H2            int // HTTP/2 connections over TLS
	H2C           int // HTTP/2 connections without TLS, by prior knowledge
	H2Concurrency int // requests at a time on each of these

	CACert   string // a PEM file of the authorities to trust instead of the system's
	Insecure bool   // verify no certificate

	Signal  string        // the stop signal, such as "TERM"
	Group   bool          // send it to all processes that the command started, too
	Load    time.Duration // under load before the signal
	Within  time.Duration // from the signal to the exit, at most
	Ready   time.Duration // from the start to the first answer, at most
	Timeout time.Duration // for each request
	Pause   time.Duration // of each client between two requests
	Spread  time.Duration // over which the clients of a kind begin
	Rounds  int

	FailOnCut bool // streams and WebSockets that end without a goodbye fail the verdict

	Passthrough io.Writer      // what the command prints is copied here, unless nil
	Progress    func(Progress) // called about ten times a second, unless nil
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
	}
}

// Validate reports all that is wrong with c, each problem by the name of its flag. It looks nothing up and opens
// nothing.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		bad("-url: say what to load, such as http://127.0.0.1:8080/")
	case err != nil:
		bad("-url: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		bad("-url %q: want http:// or https://", c.URL)
	case u.Hostname() == "":
		bad("-url %q: no host", c.URL)
	case u.User != nil:
		bad("-url: user and password are not supported, use -header 'Authorization: …'")
	}
	https := err == nil && u.Scheme == "https"

	if len(c.Command) == 0 {
		bad("no command: put it behind --, as in: draincheck -url http://127.0.0.1:8080/ -- ./my-server")
	}
	if !httpguts.ValidHeaderFieldName(c.Method) {
		bad("-method %q: not a method", c.Method)
	}
	if len(c.Body) > maxBody {
		bad("-body: %d bytes, at most %d are allowed", len(c.Body), maxBody)
	}
	for name, values := range c.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			bad("-header %q: not a header name", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				bad("-header %s: not a header value: %q", name, v)
			}
		}
		switch http.CanonicalHeaderKey(name) {
		case "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Keep-Alive", "Expect":
			bad("-header %s: draincheck sets this one itself", name)
		}
	}
	for _, p := range []struct{ flag, path string }{
		{"-slow-path", c.SlowPath}, {"-stream-path", c.StreamPath}, {"-ws-path", c.WSPath}, {"-ready-path", c.ReadyPath},
	} {
		if p.path == "" {
			continue
		}
		if !strings.HasPrefix(p.path, "/") {
			bad("%s %q: want a path that begins with /", p.flag, p.path)
		} else if _, err := url.ParseRequestURI(p.path); err != nil || strings.ContainsAny(p.path, " \t\r\n#") {
			bad("%s %q: not a path", p.flag, p.path)
		}
	}

	total := 0
	for _, n := range []struct {
		flag  string
		count int
		auto  bool
	}{
		{"-keepalive", c.KeepAlive, false},
		{"-newconn", c.NewConn, false},
		{"-pipelined", c.Pipelined, false},
		{"-pool", c.Pool, false},
		{"-slow", c.Slow, true},
		{"-late", c.Late, false},
		{"-silent", c.Silent, false},
		{"-halfheader", c.HalfHeader, false},
		{"-streams", c.Streams, true},
		{"-websockets", c.WebSockets, true},
		{"-h2", c.H2, true},
		{"-h2c", c.H2C, true},
	} {
		switch {
		case n.count == Auto && n.auto:
		case n.count < 0:
			bad("%s %d: want 0 (off) or more", n.flag, n.count)
		case n.count > maxClients:
			bad("%s %d: at most %d", n.flag, n.count, maxClients)
		}
		total += max(n.count, 0)
	}
	if total == 0 && c.H2 == 0 && c.H2C == 0 && c.SlowPath == "" && c.StreamPath == "" && c.WSPath == "" {
		bad("every kind of load is off: turn one on, such as -keepalive 16")
	}
	if c.H2 > 0 && err == nil && !https {
		bad("-h2 %d: HTTP/2 over TLS needs an https:// -url; without TLS it is -h2c", c.H2)
	}
	if c.H2C > 0 && https {
		bad("-h2c %d: HTTP/2 without TLS needs an http:// -url; over TLS it is -h2", c.H2C)
	}
	if c.H2Concurrency < 1 || c.H2Concurrency > maxClients {
		bad("-h2-concurrency %d: want 1 to %d", c.H2Concurrency, maxClients)
	}
	if c.Pool > 0 && (c.PoolBusy < 1 || c.PoolBusy > c.Pool) {
		bad("-pool-busy %d: want 1 to %d, the connections of -pool", c.PoolBusy, c.Pool)
	}
	if !https && (c.CACert != "" || c.Insecure) && err == nil {
		bad("-cacert and -insecure are for an https:// -url")
	}
	if c.CACert != "" && c.Insecure {
		bad("-cacert and -insecure: choose one")
	}
	if _, err := process.ParseSignal(c.Signal); err != nil {
		bad("-signal: %w", err)
	}
	for _, d := range []struct {
		flag string
		d    time.Duration
		zero bool // 0 is fine
	}{
		{"-load", c.Load, true},
		{"-late-after", c.LateAfter, true},
		{"-pause", c.Pause, true},
		{"-spread", c.Spread, true},
		{"-within", c.Within, false},
		{"-ready", c.Ready, false},
		{"-timeout", c.Timeout, false},
	} {
		if d.d < 0 || d.d == 0 && !d.zero {
			bad("%s %v: want a time above zero", d.flag, d.d)
		}
	}
	if c.Rounds < 1 || c.Rounds > maxRounds {
		bad("-rounds %d: want 1 to %d", c.Rounds, maxRounds)
	}
	return errors.Join(errs...)
}
