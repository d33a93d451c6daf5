package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// slowLimit is after how long an answer counts as slow.
const slowLimit = 900 * time.Millisecond

// triggerVariable has the URL to be asked by this program when it is draincheck's stop
// command.
const triggerVariable = "PLAY_TRIGGER"

// trigger asks for a rollout and returns the exit code.
func trigger(url string) int {
	resp, err := http.Post(url, "", nil)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return 0
		}
		err = errors.New(resp.Status)
	}
	fmt.Fprintln(os.Stderr, "trigger:", err)
	return 1
}

// counts are those of draincheck.
type counts struct {
	Sent         int `json:"sent"`
	Lost         int `json:"lost"`
	Slow         int `json:"slow"`
	RefusedDials int `json:"refused_dials"`
	DialErrors   int `json:"dial_errors"`
}

// account is what this program reads of draincheck's result.
type account struct {
	Error string `json:"error"`
	Total counts `json:"total"`
	Kinds []struct {
		Kind string `json:"kind"`
		counts
		During *struct {
			P99 float64 `json:"p99_ms"`
		} `json:"latency_during"`
	} `json:"kinds"`
	Causes []struct {
		Cause string `json:"cause"`
		Count int    `json:"count"`
	} `json:"causes"`
	Rounds []struct {
		BadStatus int `json:"bad_status"`
		Steps     []struct {
			Ready float64 `json:"ready_ms"`
		} `json:"steps"`
	} `json:"rounds"`
}

// load rolls the cluster rollouts times, by act, under the load of draincheck: clients that
// keep their connections, that make new ones, a pool, and slow requests, which begin spread
// over the time that one takes. None of them sends a request twice.
func load(ctx context.Context, draincheck, url string, rollouts int, spread time.Duration, act func(context.Context) error) (*account, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	failed := make(chan error, rollouts) // of act
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := act(ctx); err != nil {
			failed <- err
			w.WriteHeader(http.StatusInternalServerError)
		}
	})}
	go srv.Serve(ln)
	defer srv.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, draincheck, "-json", "-target", url, "-url", url,
		"-stop-command", "'"+self+"'", "-rounds", strconv.Itoa(rollouts), "-within", "5m", "-load", "300ms",
		"-keepalive", "8", "-newconn", "4", "-pool", "8", "-pool-busy", "2", "-pause", "20ms",
		"-slow-path", "/report", "-slow", "8", "-spread", spread.String(), "-slow-limit", slowLimit.String())
	cmd.Env = append(os.Environ(), triggerVariable+"=http://"+ln.Addr().String())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	a := new(account)
	if json.Unmarshal(out, a) != nil {
		return nil, fmt.Errorf("draincheck: %w\n%s", err, stderr.String())
	}
	if a.Error != "" {
		return nil, fmt.Errorf("draincheck: %s", a.Error)
	}
	return a, nil
}
