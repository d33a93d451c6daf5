package drain

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// A ClientNumber is one of the numbers of clients in a [Config], with the flag that sets
// it.
type ClientNumber struct {
	Flag string
	N    *int
	Auto bool // it may be Auto
}

// Clients are the numbers of clients of all kinds of load.
func (c *Config) Clients() []ClientNumber {
	return []ClientNumber{
		{"keepalive", &c.KeepAlive, false},
		{"newconn", &c.NewConn, false},
		{"pipelined", &c.Pipelined, false},
		{"continue", &c.Continue, false},
		{"paced", &c.Paced, false},
		{"pool", &c.Pool, false},
		{"late", &c.Late, false},
		{"silent", &c.Silent, false},
		{"halfheader", &c.HalfHeader, false},
		{"slow", &c.Slow, true},
		{"streams", &c.Streams, true},
		{"websockets", &c.WebSockets, true},
		{"h2", &c.H2, true},
		{"h2c", &c.H2C, true},
	}
}

// Validate reports everything that is wrong with c, and names the flag of each problem.
// It does not look up or open anything.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	err := checkURL("-url", c.URL)
	if err != nil {
		errs = append(errs, err)
	}
	if c.Target != "" {
		if err := checkURL("-target", c.Target); err != nil {
			errs = append(errs, err)
		}
	}
	https := c.isHTTPS()
	errs = append(errs, c.checkServer())
	if !httpguts.ValidHeaderFieldName(c.Method) {
		bad("-method %q: not a method", c.Method)
	}
	if len(c.Body) > maxBody {
		bad("-body: %d bytes are too many, at most %d are allowed", len(c.Body), maxBody)
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
			bad("-header %s: draincheck sets this header itself", name)
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
	for _, n := range c.Clients() {
		switch {
		case *n.N == Auto && n.Auto:
		case *n.N < 0:
			bad("-%s %d: want 0 (off) or more", n.Flag, *n.N)
		case *n.N > maxClients:
			bad("-%s %d: at most %d are allowed", n.Flag, *n.N, maxClients)
		}
		total += max(*n.N, 0)
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
	if c.ExitCode != "" && (!isNumber(c.ExitCode) || len(c.Command) == 0) {
		bad("-exit-code %q: want the exit code of a command behind --, a number", c.ExitCode)
	}
	if c.H2Concurrency < 1 || c.H2Concurrency > maxClients {
		bad("-h2-concurrency %d: want 1 to %d", c.H2Concurrency, maxClients)
	}
	if c.Continue > 0 && c.Body == "" {
		bad("-continue %d: these requests need a -body", c.Continue)
	}
	if c.Pool > 0 && (c.PoolBusy < 1 || c.PoolBusy > c.Pool) {
		bad("-pool-busy %d: want 1 to %d, the number of -pool", c.PoolBusy, c.Pool)
	}
	if !https && (c.CACert != "" || c.Insecure) && err == nil {
		bad("-cacert and -insecure are for an https:// -url")
	}
	if (c.Cert == "") != (c.Key == "") {
		bad("-cert and -key go together")
	}
	if !https && c.Cert != "" && err == nil {
		bad("-cert is for an https:// -url")
	}
	if c.CACert != "" && c.Insecure {
		bad("-cacert and -insecure: choose one")
	}
	if _, err := process.ParseSignal(c.Signal); err != nil {
		bad("-signal: %w", err)
	}
	if set, err := parseStatuses(c.Expect); err != nil {
		bad("-expect %w", err)
	} else if len(set) == 0 {
		bad("-expect: name the statuses that are right, such as 2xx")
	}
	if _, err := parseStatuses(c.ExpectAfter); err != nil {
		bad("-expect-after %w", err)
	}
	for _, d := range []struct {
		flag string
		d    time.Duration
		zero bool // 0 is fine
	}{
		{"-load", c.Load, true},
		{"-late-after", c.LateAfter, true},
		{"-pause", c.Pause, true},
		{"-paced-over", c.PacedOver, true},
		{"-spread", c.Spread, true},
		{"-slow-limit", c.SlowLimit, true},
		{"-within", c.Within, false},
		{"-ready", c.Ready, false},
		{"-timeout", c.Timeout, false},
	} {
		switch {
		case d.zero && d.d < 0:
			bad("%s %v: want 0 or a time above it", d.flag, d.d)
		case !d.zero && d.d <= 0:
			bad("%s %v: want a time above 0", d.flag, d.d)
		}
	}
	if c.Rounds < 1 || c.Rounds > maxRounds {
		bad("-rounds %d: want 1 to %d", c.Rounds, maxRounds)
	}
	return errors.Join(errs...)
}

// checkURL says what is wrong with what is to be loaded.
func checkURL(flag, text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return fmt.Errorf("%s: name what to load, such as http://127.0.0.1:8080/", flag)
	case !strings.Contains(text, "://"):
		return fmt.Errorf("%s %q: add the scheme, as in http://%s", flag, text, strings.TrimPrefix(text, "//"))
	case err != nil:
		return fmt.Errorf("%s: %w", flag, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%s %q: want http:// or https://", flag, text)
	case u.Hostname() == "":
		return fmt.Errorf("%s %q: the host is missing", flag, text)
	case u.User != nil:
		return fmt.Errorf("%s: a user and a password are not supported; use -header 'Authorization: …'", flag)
	}
	return nil
}

// checkServer says what is wrong with how the server is started and stopped.
func (c *Config) checkServer() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	given := len(c.Command) > 0
	switch {
	case !given && c.PID == "" && c.StartCommand == "" && c.StopCommand == "":
		bad("no command: put it behind --, as in: draincheck -url http://127.0.0.1:8080/ -- ./my-server\n" +
			"(or name a running server with -pid)")
	case given && (c.PID != "" || c.StartCommand != ""):
		bad("a command behind --, and -pid or -start-command: choose one")
	case !given && c.StartCommand == "" && c.Rounds > 1 && !c.Handover && c.Target == "":
		bad("-rounds %d: say with -start-command how the server is started again", c.Rounds)
	case c.PID != "" && c.StartCommand != "" && c.Rounds > 1 && isNumber(c.PID):
		bad("-pid %s: a server that is started again has another process id: name the file that contains it", c.PID)
	}
	if c.Handover && c.StopCommand != "" {
		bad("-handover and -stop-command: choose one; a handover begins with a signal")
	}
	if c.Handover && c.StartCommand != "" {
		bad("-handover and -start-command: choose one; the old process starts its successor")
	}
	if c.UnixSocket != "" && c.Target != "" {
		bad("-unix-socket and -target: choose one")
	}
	if c.GRPCMethod != "" && (!strings.HasPrefix(c.GRPCMethod, "/") || strings.Count(c.GRPCMethod, "/") != 2) {
		bad("-grpc %q: want /package.Service/Method", c.GRPCMethod)
	}
	return errors.Join(errs...)
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}
