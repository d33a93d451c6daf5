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

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// An invocation is what the command line asks for.
type invocation struct {
	cfg     drain.Config
	json    bool
	junit   string
	verbose bool
	quiet   bool
}

// parse reads the command line. It returns [flag.ErrHelp] if help was asked for, and otherwise all problems at once.
func parse(args []string, stderr io.Writer) (*invocation, error) {
	inv := &invocation{cfg: drain.Default()}
	fs := inv.flags()
	// Package flag prints the problem and the whole usage, and the problem is gone from the screen.
	fs.SetOutput(io.Discard)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	inv.cfg.Command = fs.Args()
	if err := readBody(&inv.cfg); err != nil {
		return nil, err
	}
	if err := inv.cfg.Validate(); err != nil {
		return nil, err
	}
	return inv, nil
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

	fs.IntVar(&c.KeepAlive, "keepalive", c.KeepAlive, "")
	fs.IntVar(&c.NewConn, "newconn", c.NewConn, "")
	fs.IntVar(&c.Pipelined, "pipelined", c.Pipelined, "")
	fs.IntVar(&c.Pool, "pool", 0, "")
	fs.IntVar(&c.PoolBusy, "pool-busy", c.PoolBusy, "")
	fs.IntVar(&c.Late, "late", c.Late, "")
	fs.DurationVar(&c.LateAfter, "late-after", c.LateAfter, "")
	fs.IntVar(&c.Silent, "silent", c.Silent, "")
	fs.IntVar(&c.HalfHeader, "halfheader", c.HalfHeader, "")
	fs.Var((*count)(&c.Slow), "slow", "")
	fs.Var((*count)(&c.Streams), "streams", "")
	fs.Var((*count)(&c.WebSockets), "websockets", "")
	fs.Var((*count)(&c.H2), "h2", "")
	fs.Var((*count)(&c.H2C), "h2c", "")
	fs.IntVar(&c.H2Concurrency, "h2-concurrency", c.H2Concurrency, "")
	fs.DurationVar(&c.Pause, "pause", c.Pause, "")
	fs.DurationVar(&c.Spread, "spread", 0, "")

	fs.StringVar(&c.CACert, "cacert", "", "")
	fs.BoolVar(&c.Insecure, "insecure", false, "")

	fs.StringVar(&c.Signal, "signal", c.Signal, "")
	fs.BoolVar(&c.Group, "group", false, "")
	fs.DurationVar(&c.Load, "load", c.Load, "")
	fs.DurationVar(&c.Within, "within", c.Within, "")
	fs.DurationVar(&c.Ready, "ready", c.Ready, "")
	fs.DurationVar(&c.Timeout, "timeout", c.Timeout, "")
	fs.IntVar(&c.Rounds, "rounds", c.Rounds, "")
	fs.BoolVar(&c.FailOnCut, "fail-on-cut", false, "")

	fs.BoolVar(&inv.json, "json", false, "")
	fs.StringVar(&inv.junit, "junit", "", "")
	fs.BoolVar(&inv.verbose, "v", false, "")
	fs.BoolVar(&inv.quiet, "q", false, "")
	return fs
}

func usage(w io.Writer) {
	io.WriteString(w, `draincheck starts a server, loads it, stops it in mid-load, and counts the requests that it loses.

  draincheck -url http://127.0.0.1:8080/ [flags] -- ./my-server [its flags]

Requests
  -url URL              what to load; http or https, and a host that is this machine (required)
  -method METHOD        of all requests but streams and WebSockets (POST: nothing may repeat it in secret)
  -body TEXT            their body, or @FILE (draincheck)
  -header 'NAME: VALUE' sent with every request; repeatable
  -timeout D            an answer that takes longer is lost (10s)
  -pause D              of each client between two requests (1ms)
  -spread D             the clients of a kind begin spread over this time: those that are far away and begin together
                        do everything together (0s)
  -cacert FILE          trust the certificates in this PEM file instead of the system's
  -insecure             verify no certificate

Load: numbers of clients, 0 turns a kind off
  -keepalive N          one request after another on a connection (16)
  -newconn N            a new connection for each request (8)
  -pipelined N          two requests at a time on a connection, one behind the other (0)
  -pool N               connections of one client, as a proxy has them: a burst of N requests opens them (0)
  -pool-busy N          requests at a time on them after that, on those that were used last (4)
  -slow N               one slow request after another, so that one is under way at the signal
                        (4 if -slow-path is given)
  -slow-path PATH       what they ask for (the path of -url)
  -late N               connections made right before the signal that send their first request after it (4)
  -late-after D         spread over this time after the signal (10ms)
  -silent N             connections that never send a byte (2)
  -halfheader N         connections that send half of a request header (2)
  -streams N            server-sent events, over HTTP/1.1 and over HTTP/2 if in use (4 if -stream-path is given)
  -stream-path PATH     what they ask for, with GET (the path of -url)
  -websockets N         WebSockets (4 if -ws-path is given)
  -ws-path PATH         what they ask for (the path of -url)
  -h2 N                 HTTP/2 connections over TLS (2 if the server offers it)
  -h2c N                HTTP/2 connections without TLS, by prior knowledge (2 if the server offers it)
  -h2-concurrency N     requests at a time on each of them (4)

Stop
  -load D               time under load before the signal (500ms)
  -signal NAME          TERM, INT, QUIT, HUP, USR1, USR2 or KILL (TERM)
  -group                send it to all processes that the command started, too, and wait for all of them
  -within D             kill the command if it is still running this long after the signal (30s)
  -ready D              give up if the command does not answer this long after its start (10s)
  -ready-path PATH      it is ready once a GET of this is answered with 2xx (ready: once -url is answered at all)
  -rounds N             repeat all this (1)
  -fail-on-cut          streams and WebSockets cut without a goodbye fail the verdict, too

Report
  -json                 write the result as JSON to standard output, and no table
  -junit FILE           write it as JUnit XML, a test case for each round
  -v                    show what the command prints
  -q                    write one line instead of the table

Exit codes: 0 nothing was lost and the command ended in time, in every round; 1 something was lost, or it did not end in
time; 2 wrong usage, or the check could not be carried out; 130 interrupted.
`)
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
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return errors.New("want a number of clients, 0 for none, or auto")
	}
	*c = count(n)
	return nil
}
