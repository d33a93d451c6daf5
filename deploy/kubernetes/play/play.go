package main

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/kubernetes"
)

// The servers that a pod can run.
const (
	fxHTTP  = "fxhttp"
	netHTTP = "net/http"
)

// A play is what all scenarios have in common.
type play struct {
	manifests  *kubernetes.Manifests
	service    string // programs
	draincheck string
	rollouts   int
	family     *family
	speed      float64
	lag        time.Duration
}

// build builds the programs into dir.
func (p *play) build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", dir,
		"github.com/fxshutdown/fxhttp/cmd/draincheck", "github.com/fxshutdown/fxhttp/deploy/kubernetes/service")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	p.draincheck, p.service = filepath.Join(dir, "draincheck"), filepath.Join(dir, "service")
	return nil
}

// result is what one scenario came to with one server.
type result struct {
	Scenario  string   `json:"scenario"`
	Server    string   `json:"server"`
	Family    string   `json:"family"`
	Rollouts  int      `json:"rollouts"`
	Pods      int      `json:"pods"` // that were stopped
	Speed     float64  `json:"speed"`
	Sent      int      `json:"sent"`
	Lost      int      `json:"lost"`
	Refused   int      `json:"refused"`
	Slow      int      `json:"slow"`
	BadStatus int      `json:"bad_status"`
	P99       float64  `json:"p99_ms"`         // the worst of the kinds of quick requests
	Streams   int      `json:"streams"`        // that were opened
	StreamCut int      `json:"stream_cut"`     // those that ended without a goodbye
	Killed    int      `json:"killed"`         // pods
	Restarts  int      `json:"restarts"`       // of containers
	Rollout   float64  `json:"rollout_s"`      // the median
	Stop      float64  `json:"stop_s"`         // of a pod: the median
	StopMax   float64  `json:"stop_max_s"`     //
	Causes    string   `json:"causes"`         // of what was lost
	SlowKinds string   `json:"slow_kinds"`     // of clients whose answers were slow
	Said      []string `json:"said,omitempty"` // by containers that ended with an error
}

// clean says whether no client noticed anything.
func (r *result) clean() bool { return r.Lost+r.Refused+r.BadStatus+r.StreamCut == 0 }

// run plays one scenario.
func (p *play) run(ctx context.Context, s *scenario, server string) (*result, error) {
	m := s.manifests(p.manifests, server)
	c := &cluster{
		deployment: m.Deployment,
		budget:     m.Budget,
		family:     p.family,
		service:    p.service,
		speed:      p.speed,
		lag:        p.lag,
		oldKubelet: s.old,
	}
	if err := c.open(ctx); err != nil {
		return nil, err
	}
	defer c.close()
	act := c.rollOut
	if s.drain {
		act = c.drainNode
	}
	events := new(streams)
	streaming, endStreams := context.WithCancel(ctx)
	defer endStreams()
	c.running.Go(func() { events.run(streaming, p.family.url()+"events", 4) })
	a, err := load(ctx, p.draincheck, p.family.url(), p.rollouts, scale(report, p.speed), act)
	if err != nil {
		return nil, err
	}
	endStreams()
	events.mu.Lock()
	defer events.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &result{
		Scenario: s.name, Server: server, Family: p.family.name, Rollouts: p.rollouts, Pods: len(c.stops), Speed: p.speed,
		Sent: a.Total.Sent, Lost: a.Total.Lost, Refused: a.Total.RefusedDials + a.Total.DialErrors + events.refused, Slow: a.Total.Slow,
		Streams: events.opened, StreamCut: events.cut,
		Killed: c.killed, Restarts: c.restarts, Said: c.failures,
	}
	var slow []string
	for _, k := range a.Kinds {
		if k.Slow > 0 {
			slow = append(slow, fmt.Sprintf("%s %d", k.Kind, k.Slow))
		}
		if k.During != nil && k.Kind != "slow" {
			r.P99 = max(r.P99, k.During.P99)
		}
	}
	var causes []string
	for _, cause := range a.Causes {
		causes = append(causes, fmt.Sprintf("%s %d", cause.Cause, cause.Count))
	}
	r.SlowKinds = strings.Join(slow, ", ")
	r.Causes = strings.Join(causes, ", ")
	var times []float64
	for _, round := range a.Rounds {
		r.BadStatus += round.BadStatus
		for _, step := range round.Steps {
			times = append(times, step.Ready/1000)
		}
	}
	r.Rollout, _ = medianAndMax(times)
	var stops []float64
	for _, d := range c.stops {
		stops = append(stops, d.Seconds())
	}
	r.Stop, r.StopMax = medianAndMax(stops)
	return r, nil
}

func medianAndMax(values []float64) (median, most float64) {
	if len(values) == 0 {
		return 0, 0
	}
	slices.Sort(values)
	round := func(v float64) float64 { return math.Round(v*1000) / 1000 }
	return round(values[len(values)/2]), round(values[len(values)-1])
}
