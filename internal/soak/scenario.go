package main

import (
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// A scenario is a kind of load: a profile of draincheck.
type scenario struct {
	name  string
	tls   bool
	flags func(grace time.Duration) []string // of draincheck; every other kind of load is off
}

func flags(f ...string) func(time.Duration) []string {
	return func(time.Duration) []string { return f }
}

var scenarios = []scenario{
	{name: "keep-alive", flags: flags("-keepalive", "64")},
	{name: "new-conn", flags: flags("-newconn", "64")},
	{name: "keep-alive-tls", tls: true, flags: flags("-keepalive", "64")},
	{name: "new-conn-tls", tls: true, flags: flags("-newconn", "16")},
	{name: "h2", tls: true, flags: flags("-h2", "2", "-h2-concurrency", "64")},
	{name: "pipelined", flags: flags("-pipelined", "16")},
	{name: "pool", flags: flags("-pool", "32", "-pool-busy", "4")},
	{name: "transfers", flags: flags("-keepalive", "16", "-body", strings.Repeat("x", 100<<10), "-header", "Want: 262144")},
	{name: "expect", flags: flags("-continue", "32")},
	{name: "slow", flags: flags("-keepalive", "64", "-header", "Slow: 20ms")},
	{name: "late", flags: flags("-late", "20", "-late-after", "6ms")},
	{name: "offsets", flags: func(grace time.Duration) []string {
		// Up to three fifths of IdleGrace. What comes near its end HTTP allows to lose, and
		// on a busy machine a client may be late.
		return []string{"-paced", "40", "-paced-over", (grace * 3 / 5).String()}
	}},
}

func scenarioNames() (names []string) {
	for _, sc := range scenarios {
		names = append(names, sc.name)
	}
	return names
}

// args are those of draincheck, up to the command of the server.
func (sc scenario) args(o options, addr string) []string {
	scheme := "http"
	if sc.tls {
		scheme = "https"
	}
	args := []string{"-json", "-url", scheme + "://" + addr + "/", "-load", o.load.String(), "-pause", "0",
		"-within", stopTimeout.String(), "-rounds", o.rounds}
	args = append(args, draincheck.NoLoad...)
	if o.age > 0 {
		args = append(args, "-v") // what the server says of its connections' ages
	}
	if sc.tls {
		args = append(args, "-insecure")
	}
	if o.kind != bare {
		// The server's own word on its account.
		args = append(args, "-exit-code", "0")
	}
	return append(args, sc.flags(o.grace)...)
}
