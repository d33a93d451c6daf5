package drain

import (
	"context"
	"fmt"
	"time"
)

// A Hold is what one kind of connection does to a process that should end, seen in a
// short round with it and little else.
type Hold struct {
	Kind   string `json:"kind"` // "nothing" of a round without connections that stay
	Held   bool   `json:"held"` // the process had not ended when it was killed
	After  Millis `json:"after_ms"`
	Reason string `json:"reason,omitempty"` // why the round says nothing
}

func (h Hold) String() string {
	after := h.After.Duration().Round(time.Millisecond)
	switch {
	case h.Reason != "":
		return fmt.Sprintf("what %s connections do to its end is not known: %s", h.Kind, h.Reason)
	case h.Kind == nothing && h.Held:
		return fmt.Sprintf("it does not end without any connection either, within %v: it ignores the signal, or waits for something else", after)
	case h.Kind == nothing:
		return fmt.Sprintf("without connections that stay open it ended after %v", after)
	case h.Held:
		return fmt.Sprintf("%s connections alone hold it, for %v at least", h.Kind, after)
	}
	return fmt.Sprintf("%s connections alone do not: ended after %v", h.Kind, after)
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
