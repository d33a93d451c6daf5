package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// result is the part of draincheck's JSON that is used here.
type result struct {
	Error string `json:"error"`
	Total struct {
		Answered       int `json:"answered"`
		Lost           int `json:"lost"`
		RefusedDials   int `json:"refused_dials"`
		RefusedStreams int `json:"refused_streams"`
		BehindClose    int `json:"behind_close"`
	} `json:"total"`
	Rounds []struct {
		Reasons  []string `json:"reasons"`
		ExitedMS float64  `json:"exited_ms"`
		Output   string   `json:"output"`
		Losses   []struct {
			Kind      string  `json:"kind"`
			Cause     string  `json:"cause"`
			WrittenMS float64 `json:"written_ms"`
			FailedMS  float64 `json:"failed_ms"`
			Error     string  `json:"error"`
		} `json:"losses"`
	} `json:"rounds"`

	printed string // by the server, if it was asked for
}

// run has draincheck start this program as the server, load it and stop it.
func (sc scenario) run(ctx context.Context, bin string, o options) (*result, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := draincheck.Command(ctx, bin, append(sc.args(o, addr), "--", self)...)
	cmd.Env = append(os.Environ(), spec{Addr: addr, Kind: o.kind, Listener: o.listener, Grace: o.grace, Age: o.age, TLS: sc.tls}.environ())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if !draincheck.Ran(runErr) {
		return nil, fmt.Errorf("%w: %s", runErr, strings.TrimSpace(stderr.String()))
	}
	var r result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		return nil, fmt.Errorf("read the result of draincheck: %w", err)
	}
	r.printed = stderr.String()
	return &r, nil
}

func (r *result) took() (ms []float64) {
	for _, round := range r.Rounds {
		ms = append(ms, round.ExitedMS)
	}
	slices.Sort(ms)
	return ms
}

func (r *result) losses() (lines []string) {
	for _, round := range r.Rounds {
		for _, l := range round.Losses {
			lines = append(lines, fmt.Sprintf("%s, %s: written %.1fms and failed %.1fms after the stop began: %s",
				l.Kind, l.Cause, l.WrittenMS, l.FailedMS, l.Error))
		}
	}
	return lines
}

// otherReasons are the reasons of failed rounds other than lost requests.
func (r *result) otherReasons() (lines []string) {
	for i, round := range r.Rounds {
		for _, reason := range round.Reasons {
			if !strings.HasSuffix(reason, " lost") {
				lines = append(lines, fmt.Sprintf("stop %d: %s: %s", i+1, reason, strings.TrimSpace(round.Output)))
			}
		}
	}
	return lines
}

// freeAddr is a loopback address on which nothing listens.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// stopTimeout bounds every stop.
const stopTimeout = 15 * time.Second
