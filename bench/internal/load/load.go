// Package load uses draincheck to count the requests that a stop loses.
package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/server"
	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// A Kind is a kind of load.
type Kind struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	What  string `json:"what"`
	HTTPS bool   `json:"https,omitempty"`

	// OneRequest says that each client has one connection and one request. With other kinds, a connection that is found
	// closed has usually served before.
	OneRequest bool `json:"one_request,omitempty"`

	// RTTMS is how far the clients are away, in milliseconds. If it is not 0, it takes a link (see [OpenLink]).
	RTTMS int64 `json:"rtt_ms,omitempty"`

	// Flags are those of draincheck. Every other kind of load is off.
	Flags []string `json:"flags"`
}

// Kinds are the kinds of load.
func Kinds() []Kind {
	return []Kind{
		{ID: "keepalive", Title: "keep-alive", What: "64 clients, one POST after another on a connection each",
			Flags: []string{"-keepalive", "64"}},
		{ID: "newconn", Title: "new connections", What: "64 clients, a new connection for each POST",
			Flags: []string{"-newconn", "64"}},
		{ID: "pool", Title: "a pool", What: "32 connections of one client, 4 of them in use at a time, the one used last first, for one POST after another",
			Flags: []string{"-pool", "32", "-pool-busy", "4"}},
		{ID: "far", Title: "far clients", What: "32 clients 40 ms away, a new connection for each POST", RTTMS: 40,
			Flags: []string{"-newconn", "32"}},
		{ID: "late", Title: "late first request", What: "64 clients that connect before the signal and send their first POST within 10 ms after it",
			OneRequest: true,
			Flags:      []string{"-late", "64"}},
		{ID: "slow", Title: "slow requests", What: "16 clients whose POST, which takes 400 ms, is under way at the signal",
			Flags: []string{"-slow", "16", "-slow-path", "/slow"}},
		{ID: "h2", Title: "HTTP/2", What: "8 TLS connections with 8 POSTs at a time each", HTTPS: true,
			Flags: []string{"-h2", "8", "-h2-concurrency", "8"}},
	}
}

// RTT is how far the clients are away.
func (k Kind) RTT() time.Duration { return time.Duration(k.RTTMS) * time.Millisecond }

// Counts are what became of the requests of one stop.
type Counts struct {
	Sent           int     `json:"sent"`
	Lost           int     `json:"lost"`
	RefusedStreams int     `json:"refused_streams"`
	ClosedIdle     int     `json:"closed_idle"` // connections that were found closed before a request was written
	ExitedMS       float64 `json:"exited_ms"`
	Killed         bool    `json:"killed,omitempty"`
}

// A Runner runs draincheck.
type Runner struct {
	Draincheck string        // the binary
	Load       time.Duration // time under load before the signal
	Within     time.Duration // when a server that does not exit is killed

	// Raw, if set, receives the JSON of each run.
	Raw func(json []byte)
}

// Run loads the server that the command starts, and stops it. Far clients are at the one end of the link, and the server is
// at the other; link is nil for others.
func (r *Runner) Run(ctx context.Context, kind Kind, link *Link, command server.Command) (Counts, error) {
	var (
		addr string
		argv []string
		err  error
		run  = (*exec.Cmd).Run
	)
	if kind.RTTMS != 0 {
		addr = link.addr()
		argv, err = link.serverCommand(command(addr))
		run = link.runClient
	} else if addr, err = server.FreeAddr(); err == nil {
		argv = command(addr)
	}
	if err != nil {
		return Counts{}, err
	}
	cmd := draincheck.Command(ctx, r.Draincheck, r.args(kind, addr, argv)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := run(cmd)
	if err := ctx.Err(); err != nil {
		return Counts{}, err
	}
	if !draincheck.Ran(runErr) {
		return Counts{}, fmt.Errorf("draincheck: %w: %s %s", runErr, strings.TrimSpace(stderr.String()), errorOf(stdout.Bytes()))
	}
	if r.Raw != nil {
		r.Raw(stdout.Bytes())
	}
	return parse(stdout.Bytes())
}

func (r *Runner) args(kind Kind, addr string, argv []string) []string {
	args := []string{"-json", "-rounds", "1", "-pause", "0", "-load", r.Load.String(), "-within", r.Within.String()}
	args = append(args, draincheck.NoLoad...)
	if kind.HTTPS {
		// The certificate was made for this run.
		args = append(args, "-insecure", "-url", "https://"+addr+"/")
	} else {
		args = append(args, "-url", "http://"+addr+"/")
	}
	if kind.RTTMS != 0 {
		args = append(args, draincheck.Spread(r.Load, kind.RTT())...)
	}
	args = append(args, kind.Flags...) // the last of two flags counts
	return append(append(args, "--"), argv...)
}

// report is the part of draincheck's JSON that is used here.
type report struct {
	Schema  int    `json:"schema"`
	Verdict string `json:"verdict"`
	Error   string `json:"error"`
	Total   struct {
		Counts
		RefusedDials int `json:"refused_dials"`
	} `json:"total"`
	Rounds []struct {
		ExitedMS float64 `json:"exited_ms"`
		Killed   bool    `json:"killed"`
	} `json:"rounds"`
}

func parse(data []byte) (Counts, error) {
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return Counts{}, fmt.Errorf("read the result of draincheck: %w", err)
	}
	switch {
	case r.Schema != 1:
		return Counts{}, fmt.Errorf("draincheck's JSON has schema %d, want 1", r.Schema)
	case r.Verdict == "error":
		return Counts{}, fmt.Errorf("draincheck: %s", r.Error)
	case len(r.Rounds) != 1:
		return Counts{}, fmt.Errorf("draincheck reports %d rounds, want 1", len(r.Rounds))
	case r.Total.Sent+r.Total.ClosedIdle+r.Total.RefusedDials == 0:
		return Counts{}, errors.New("draincheck loaded nothing")
	}
	c := r.Total.Counts
	c.ExitedMS, c.Killed = r.Rounds[0].ExitedMS, r.Rounds[0].Killed
	return c, nil
}

// errorOf returns the error that the JSON holds, if it holds one.
func errorOf(data []byte) string {
	var r report
	_ = json.Unmarshal(data, &r)
	return r.Error
}
