package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// An invocation is what the command line asks for.
type invocation struct {
	cfg     drain.Config
	json    bool
	junit   string
	report  string
	verbose bool
	quiet   bool
}

// parse reads the command line. It returns [flag.ErrHelp] if help was asked for, and
// otherwise all problems at once. What was understood is returned in any case.
func parse(args []string, stderr io.Writer) (*invocation, error) {
	inv := &invocation{cfg: drain.Default()}
	fs := inv.flags()
	// Package flag prints the problem and the whole usage, and the problem is gone from
	// the screen.
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	inv.cfg.Command = fs.Args()
	if err != nil {
		// Somebody who waits for JSON gets it. The flags behind the wrong one were not
		// read.
		for _, a := range args {
			if a == "--" {
				break
			}
			inv.json = inv.json || a == "-json" || a == "--json"
		}
		return inv, err
	}
	if m := inv.cfg.Method; (m == http.MethodGet || m == http.MethodHead) && !isSet(fs, "body") {
		inv.cfg.Body = "" // servers refuse one, and nobody has asked for it
	}
	if err := readBody(&inv.cfg); err != nil {
		return inv, err
	}
	return inv, inv.cfg.Validate()
}

// isSet reports whether the flag was on the command line.
func isSet(fs *flag.FlagSet, name string) (set bool) {
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// readBody follows -body @file.
func readBody(cfg *drain.Config) error {
	name, ok := strings.CutPrefix(cfg.Body, "@")
	if !ok {
		return nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("-body: %w", err)
	}
	cfg.Body = string(b)
	return nil
}

// flags are those of the command line. Their texts are in usage, in groups.
func (inv *invocation) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("draincheck", flag.ContinueOnError)
	c := &inv.cfg
	fs.StringVar(&c.URL, "url", "", "")
	fs.StringVar(&c.Method, "method", c.Method, "")
	fs.StringVar(&c.Body, "body", c.Body, "")
	fs.Var(header(c.Header), "header", "")
	fs.StringVar(&c.SlowPath, "slow-path", "", "")
	fs.StringVar(&c.StreamPath, "stream-path", "", "")
	fs.StringVar(&c.WSPath, "ws-path", "", "")
	fs.StringVar(&c.ReadyPath, "ready-path", "", "")

	for _, n := range c.Clients() {
		if n.Auto {
			fs.Var((*count)(n.N), n.Flag, "")
		} else {
			fs.IntVar(n.N, n.Flag, *n.N, "")
		}
	}
	fs.DurationVar(&c.PacedOver, "paced-over", c.PacedOver, "")
	fs.IntVar(&c.PoolBusy, "pool-busy", c.PoolBusy, "")
	fs.DurationVar(&c.LateAfter, "late-after", c.LateAfter, "")
	fs.IntVar(&c.H2Concurrency, "h2-concurrency", c.H2Concurrency, "")
	fs.DurationVar(&c.Pause, "pause", c.Pause, "")
	fs.DurationVar(&c.Spread, "spread", 0, "")

	fs.StringVar(&c.CACert, "cacert", "", "")
	fs.BoolVar(&c.Insecure, "insecure", false, "")
	fs.StringVar(&c.Cert, "cert", "", "")
	fs.StringVar(&c.Key, "key", "", "")
	fs.StringVar(&c.UnixSocket, "unix-socket", "", "")
	fs.StringVar(&c.GRPCMethod, "grpc", "", "")

	fs.StringVar(&c.Expect, "expect", c.Expect, "")
	fs.StringVar(&c.ExpectAfter, "expect-after", "", "")
	fs.DurationVar(&c.SlowLimit, "slow-limit", 0, "")
	fs.BoolVar(&c.Diagnose, "diagnose", c.Diagnose, "")

	fs.StringVar(&c.Target, "target", "", "")
	fs.StringVar(&c.PID, "pid", "", "")
	fs.StringVar(&c.StartCommand, "start-command", "", "")
	fs.StringVar(&c.StopCommand, "stop-command", "", "")
	fs.BoolVar(&c.Handover, "handover", false, "")
	fs.StringVar(&inv.report, "report", "", "")

	fs.StringVar(&c.Signal, "signal", c.Signal, "")
	fs.BoolVar(&c.Group, "group", false, "")
	fs.DurationVar(&c.Load, "load", c.Load, "")
	fs.DurationVar(&c.Within, "within", c.Within, "")
	fs.DurationVar(&c.Ready, "ready", c.Ready, "")
	fs.DurationVar(&c.Timeout, "timeout", c.Timeout, "")
	fs.IntVar(&c.Rounds, "rounds", c.Rounds, "")
	fs.BoolVar(&c.FailOnCut, "fail-on-cut", false, "")
	fs.StringVar(&c.ExitCode, "exit-code", "", "")

	fs.BoolVar(&inv.json, "json", false, "")
	fs.StringVar(&inv.junit, "junit", "", "")
	fs.BoolVar(&inv.verbose, "v", false, "")
	fs.BoolVar(&inv.quiet, "q", false, "")
	return fs
}

// header collects -header flags.
type header http.Header

func (h header) String() string { return "" }

func (h header) Set(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok {
		return errors.New("want 'Name: value'")
	}
	http.Header(h).Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// count is a number of clients that may be left to draincheck.
type count int

func (c *count) String() string {
	if c == nil || *c == drain.Auto {
		return "auto"
	}
	return strconv.Itoa(int(*c))
}

func (c *count) Set(s string) error {
	if s == "auto" {
		*c = drain.Auto
		return nil
	}
	if _, err := time.ParseDuration(s); err == nil && s != "0" {
		return errors.New("want a number of clients; for the time after which an answer is slow, use -slow-limit")
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return errors.New("want a number of clients, 0 for none, or auto")
	}
	*c = count(n)
	return nil
}
