// Package load has draincheck count the requests that a stop loses.
package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
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

	// OneRequest says that each client has one connection and one request. With the others a connection found closed
	// is the ordinary end of one that served.
	OneRequest bool `json:"one_request,omitempty"`

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
		{ID: "late", Title: "late first request", What: "64 clients that connect before the signal and send their first POST within 10 ms after it",
			OneRequest: true,
			Flags:      []string{"-late", "64"}},
		{ID: "slow", Title: "slow requests", What: "16 clients whose POST, which takes 400 ms, is under way at the signal",
			Flags: []string{"-slow", "16", "-slow-path", "/slow"}},
		{ID: "h2", Title: "HTTP/2", What: "8 TLS connections with 8 POSTs at a time each", HTTPS: true,
			Flags: []string{"-h2", "8", "-h2-concurrency", "8"}},
	}
}

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

// Run loads the server that the command starts, and stops it.
func (r *Runner) Run(ctx context.Context, kind Kind, command server.Command) (Counts, error) {
	addr, err := server.FreeAddr()
	if err != nil {
		return Counts{}, err
	}
	cmd := exec.CommandContext(ctx, r.Draincheck, r.args(kind, addr, command(addr))...)
	// draincheck ends the server when it is interrupted. Killed, it could not.
	interrupt(cmd)
	cmd.WaitDelay = 15 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
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
	if kind.HTTPS {
		// The certificate was made for this run.
		args = append(args, "-insecure", "-url", "https://"+addr+"/")
	} else {
		args = append(args, "-url", "http://"+addr+"/")
	}
	given := map[string]bool{}
	for _, f := range kind.Flags {
		given[f] = true
	}
	for _, f := range []string{"-keepalive", "-newconn", "-late", "-slow", "-silent", "-halfheader", "-streams", "-websockets", "-h2", "-h2c"} {
		if !given[f] {
			args = append(args, f, strconv.Itoa(0))
		}
	}
	args = append(args, kind.Flags...)
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
		return Counts{}, fmt.Errorf("read what draincheck says: %w", err)
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
