package drain

import (
	"context"
	"fmt"
	"time"
)

// A Hold is what one kind of connection does to a process that should end, seen in a
// short round with little else.
type Hold struct {
	Kind   string `json:"kind"` // "nothing" of a round without connections that stay
	Held   bool   `json:"held"` // the process had not ended when it was killed
	After  Millis `json:"after_ms"`
	Reason string `json:"reason,omitempty"` // why the round says nothing
}

func (h Hold) String() string {
	with := "with " + h.Kind + " connections alone"
	if h.Kind == nothing {
		with = "without connections that stay open"
	}
	after := h.After.Duration().Round(time.Millisecond)
	switch {
	case h.Reason != "":
		return fmt.Sprintf("%s, there was no result: %s", with, h.Reason)
	case h.Held:
		return fmt.Sprintf("%s, the process was still running after %v", with, after)
	}
	return fmt.Sprintf("%s, the process ended after %v", with, after)
}

// Hint says what usually helps against what holds the process, or "" if h does not.
func (h Hold) Hint() string {
	if !h.Held {
		return ""
	}
	return holdHints[h.Kind]
}

// holdHints are what helps, by kind.
var holdHints = map[string]string{
	nothing: "catch the signal; if the server already does, find out what else the process waits for, such as a thread, " +
		"a timer or a process that it started",
	"silent": "limit how long a connection may take to send its first request header (Go: ReadHeaderTimeout), " +
		"or close such connections once the stop has begun",
	"half-header": "limit how long a request header may take (Go: ReadHeaderTimeout), or close connections with half " +
		"a header once the stop has begun",
	"keep-alive": "close idle connections once the stop has begun, and answer running requests with Connection: close",
	"pool":       "close idle connections once the stop has begun, and answer running requests with Connection: close",
	"slow":       "limit how long the stop waits for running requests, and then cancel them",
	"stream":     "tell the handlers of event streams that the stop has begun, so that they end their streams",
	"WebSocket":  "send a Close frame once the stop has begun, and close the connection soon after it",
	"HTTP/2":     "send GOAWAY once the stop has begun, and close each connection after its last stream",
}

const nothing = "nothing"

// diagnoseWithin bounds the rounds that look for what holds a process.
const diagnoseWithin = 10 * time.Second

// diagnose finds out what holds a process that had to be killed: it is stopped again
// without connections that stay open, and then with one kind of them at a time.
func (c *check) diagnose(ctx context.Context) []Hold {
	bare := c.cfg
	bare.Rounds, bare.Diagnose, bare.NewConn = 1, false, 1
	bare.Within = min(bare.Within, diagnoseWithin)
	for _, n := range bare.Clients() {
		if n.Flag != "newconn" {
			*n.N = 0
		}
	}
	if c.onlyHTTP2 {
		*bare.h2() = 1
	}
	base := c.stopOnce(ctx, nothing, bare)
	holds := []Hold{base}
	if base.Held || base.Reason != "" {
		return holds
	}
	// Each kind gets the time that the server has, so that one which the server closes by a
	// timeout of its own is not blamed.
	for _, s := range []struct {
		kind string
		n    int
		set  func(*Config) *int
	}{
		{"silent", c.cfg.Silent, func(c *Config) *int { return &c.Silent }},
		{"half-header", c.cfg.HalfHeader, func(c *Config) *int { return &c.HalfHeader }},
		{"keep-alive", c.cfg.KeepAlive, func(c *Config) *int { return &c.KeepAlive }},
		{"pool", c.cfg.Pool, func(c *Config) *int { return &c.Pool }},
		{"slow", c.cfg.Slow, func(c *Config) *int { return &c.Slow }},
		{"stream", c.cfg.Streams, func(c *Config) *int { return &c.Streams }},
		{"WebSocket", c.cfg.WebSockets, func(c *Config) *int { return &c.WebSockets }},
		{"HTTP/2", max(c.cfg.H2, c.cfg.H2C), (*Config).h2},
	} {
		if s.n <= 0 {
			continue
		}
		one := bare
		*s.set(&one) = s.n
		holds = append(holds, c.stopOnce(ctx, s.kind, one))
	}
	return holds
}

// stopOnce runs one round and says how long the process took to end.
func (c *check) stopOnce(ctx context.Context, kind string, cfg Config) Hold {
	other := &check{cfg: cfg, target: c.target, instance: c.instance, dialer: c.dialer, instanceDialer: c.instanceDialer,
		signal: c.signal, onlyHTTP2: c.onlyHTTP2}
	r := other.newRound(1)
	if err := r.run(ctx); err != nil {
		return Hold{Kind: kind, Reason: err.Error()}
	}
	h := Hold{Kind: kind, Held: r.Killed, After: r.Exited}
	if r.Killed {
		h.After = millis(cfg.Within)
	}
	return h
}
