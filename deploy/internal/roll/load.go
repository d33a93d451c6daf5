package roll

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// The clients of all configurations: they POST, which nothing may repeat for them, and
// pause as clients of a proxy do. Two of them always have a slow request under way.
var clients = []string{
	"-keepalive", "16", "-newconn", "8", "-slow", "2", "-slow-path", "/report", "-pause", "20ms",
	"-slow-limit", "900ms", "-within", "60s", "-ready", "30s", "-ready-path", "/items/ready", "-diagnose=false",
}

// load runs draincheck, which asks for steps at socket.
func (r *Runner) load(ctx context.Context, socket string, cfg *recipe.Config, url string, rolls int) (*report, error) {
	step := "'" + r.self + "' "
	args := []string{"-json", "-target", url + "/upload", "-url", url + "/upload",
		"-rounds", strconv.Itoa(rolls * cfg.Instances), "-load", cfg.Settle.String(),
		"-stop-command", step + "stop", "-start-command", step + "start"}
	if strings.HasPrefix(url, "https:") {
		args = append(args, "-insecure")
	}
	args = slices.Concat(args, clients, cfg.Load)
	cmd := draincheck.Command(ctx, r.draincheck, args...)
	cmd.Env = append(os.Environ(), socketVariable+"="+socket)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); !draincheck.Ran(err) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("draincheck: %w\n%s", err, stderr.Bytes())
	}
	rep := new(report)
	if err := json.Unmarshal(stdout.Bytes(), rep); err != nil {
		return nil, fmt.Errorf("what draincheck printed: %w", err)
	}
	if len(rep.Rounds) != 1 {
		return nil, fmt.Errorf("draincheck reports %d rounds of a rollout, want 1", len(rep.Rounds))
	}
	return rep, nil
}

// A report is the part of draincheck's JSON that is needed here; its README describes it.
type report struct {
	Total struct {
		Sent           int `json:"sent"`
		Lost           int `json:"lost"`
		RefusedStreams int `json:"refused_streams"`
		RefusedDials   int `json:"refused_dials"`
		DialErrors     int `json:"dial_errors"`
		Slow           int `json:"slow"`
	} `json:"total"`
	Kinds []struct {
		Kind     string `json:"kind"`
		Statuses map[int]struct {
			Before int `json:"before"`
			During int `json:"during"`
		} `json:"statuses"`
		Latency *struct {
			P99 results.Millis `json:"p99_ms"`
		} `json:"latency_during"`
		Ends *struct {
			Polite int `json:"polite"`
			EOF    int `json:"eof"`
			Reset  int `json:"reset"`
			Open   int `json:"open"`
		} `json:"ends"`
	} `json:"kinds"`
	Causes []struct {
		Cause string `json:"cause"`
		Count int    `json:"count"`
	} `json:"causes"`
	Rounds []json.RawMessage `json:"rounds"`
}

// slowKinds have requests that take long by themselves.
var slowKinds = map[string]bool{"slow": true, "h2-slow": true, "h2c-slow": true}

// account fills in the numbers of the requests.
func (rep *report) account(res *results.Result) {
	t := &rep.Total
	res.Sent = t.Sent
	res.Lost = t.Lost
	res.Refused = t.RefusedDials + t.DialErrors + t.RefusedStreams
	res.Slow = t.Slow
	for _, c := range rep.Causes {
		if res.Causes == nil {
			res.Causes = map[string]int{}
		}
		res.Causes[c.Cause] = c.Count
	}
	for _, k := range rep.Kinds {
		for status, n := range k.Statuses {
			if status >= 200 && status < 400 || status == 101 {
				continue
			}
			if res.Statuses == nil {
				res.Statuses = map[int]int{}
			}
			res.Statuses[status] += n.Before + n.During
			res.BadStatus += n.Before + n.During
		}
		if e := k.Ends; e != nil {
			if res.Ends == nil {
				res.Ends = new(results.Streams)
			}
			res.Ends.Polite += e.Polite
			res.Ends.Cut += e.EOF + e.Reset + e.Open
		} else if k.Latency != nil && !slowKinds[k.Kind] {
			res.P99 = max(res.P99, k.Latency.P99)
		}
	}
}
