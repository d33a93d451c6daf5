package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/results"
	"github.com/fxshutdown/fxhttp/bench/internal/server"
	"github.com/fxshutdown/fxhttp/bench/internal/steady"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

// A session makes all measurements: round after round, in each round kind after kind, for each kind subject after
// subject. What changes on the machine in the meantime hits all subjects alike. The first one changes from round to
// round.
type session struct {
	*built
	cfg     *config
	stderr  io.Writer
	results *results.Results
	runner  load.Runner
	links   map[int64]*load.Link // by their round-trip time in ms

	began time.Time
	bases map[string]float64 // bytes per connection of the bases in this round
}

func newSession(b *built, cfg *config, stderr io.Writer) *session {
	s := &session{
		built:  b,
		cfg:    cfg,
		stderr: stderr,
		began:  time.Now(),
		links:  map[int64]*load.Link{},
		runner: load.Runner{Draincheck: b.draincheck, Load: cfg.load, Within: cfg.limit + grace},
		results: &results.Results{
			Schema:  results.Schema,
			Date:    time.Now().UTC().Format(time.DateOnly),
			Commit:  b.commit,
			Machine: b.machine,
			Settings: results.Settings{
				Rounds:     cfg.rounds,
				LoadMS:     cfg.load.Milliseconds(),
				LimitMS:    cfg.limit.Milliseconds(),
				StuckMS:    cfg.stuckLimit.Milliseconds(),
				GraceMS:    grace.Milliseconds(),
				WindowMS:   cfg.window.Milliseconds(),
				IdleConns:  cfg.idle,
				Sufficient: cfg.sufficient,

				ReadHeaderMS: subject.ReadHeaderTimeout.Milliseconds(),
				IdleMS:       subject.IdleTimeout.Milliseconds(),
			},
			Subjects:  b.subjects,
			Absent:    b.absent,
			Loads:     load.Kinds(),
			Obstacles: probe.Obstacles(),
		},
	}
	return s
}

// close closes the links.
func (s *session) close() {
	for _, l := range s.links {
		l.Close()
	}
}

// openLinks opens the links that the loads take. A load whose link is not available here is left out, and named in the
// results.
func (s *session) openLinks(open func(rtt time.Duration) (*load.Link, error)) error {
	var loads []load.Kind
	for _, k := range s.results.Loads {
		if k.RTTMS != 0 && s.links[k.RTTMS] == nil && s.wantsLoad(k) {
			l, err := open(k.RTT())
			if errors.Is(err, load.ErrNoLink) {
				s.say("no %s: %v", k.Title, err)
				s.results.Absent = append(s.results.Absent, results.Absent{Name: k.Title + " (" + k.What + ")", Reason: err.Error()})
				continue
			}
			if err != nil {
				return err
			}
			s.links[k.RTTMS] = l
		}
		loads = append(loads, k)
	}
	s.results.Loads = loads
	return nil
}

func (s *session) wantsLoad(k load.Kind) bool {
	return slices.ContainsFunc(s.subjects, func(sub subject.Subject) bool { return s.cfg.wants(sub.ID, lostMeasure, k.ID) })
}

// run makes the measurements. A measurement that fails is tried again, and then left out and named in the results.
func (s *session) run(ctx context.Context) error {
	if err := s.openLinks(load.OpenLink); err != nil {
		return err
	}
	for round := 1; round <= s.cfg.rounds; round++ {
		s.say("round %d of %d", round, s.cfg.rounds)
		for _, k := range s.results.Loads {
			for _, sub := range s.order(round) {
				if k.HTTPS && !sub.HTTP2 || !s.cfg.wants(sub.ID, lostMeasure, k.ID) {
					continue
				}
				err := s.try(ctx, sub.ID+" under "+k.ID, func() error { return s.lose(ctx, sub, k, round) })
				if err != nil {
					return err
				}
			}
		}
		for _, o := range s.results.Obstacles {
			for _, sub := range s.order(round) {
				if o.HTTPS && !sub.HTTP2 || s.results.Enough(sub.ID, o) || !s.cfg.wants(sub.ID, stopMeasure, o.ID) {
					continue
				}
				err := s.try(ctx, sub.ID+" with "+o.ID, func() error { return s.stop(ctx, sub, o) })
				if err != nil {
					return err
				}
			}
		}
		if err := s.steady(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

// order returns the subjects, another one first in each round.
func (s *session) order(round int) []subject.Subject {
	n := (round - 1) % len(s.subjects)
	return append(s.subjects[n:len(s.subjects):len(s.subjects)], s.subjects[:n]...)
}

// tries is how often a measurement is begun before it is given up.
const tries = 3

// try returns an error only if the session was interrupted.
func (s *session) try(ctx context.Context, what string, measure func() error) error {
	var err error
	for range tries {
		if err = measure(); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.say("%s: %v", what, err)
	}
	s.results.Failures = append(s.results.Failures, what)
	return nil
}

func (s *session) lose(ctx context.Context, sub subject.Subject, k load.Kind, round int) error {
	s.runner.Raw = func(json []byte) {
		// For readers who wonder about a number. Unlike the results, this contains paths.
		dir := filepath.Join(s.dir, "work", "raw")
		if err := os.MkdirAll(dir, 0o755); err == nil {
			_ = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%02d.json", k.ID, sub.ID, round)), json, 0o644)
		}
	}
	c, err := s.runner.Run(ctx, k, s.links[k.RTTMS], s.command(sub, s.cfg.limit, k.HTTPS))
	if err != nil {
		return err
	}
	s.results.AddLost(sub.ID, k.ID, c)
	s.say("%-16s %-10s lost %d of %d, refused %d, exit after %.0f ms", sub.ID, k.ID, c.Lost, c.Sent, c.RefusedStreams, c.ExitedMS)
	return nil
}

func (s *session) stop(ctx context.Context, sub subject.Subject, o probe.Obstacle) error {
	limit := s.results.Settings.Limit(o)
	t, err := probe.Stop(ctx, o, s.command(sub, limit, o.HTTPS), limit+grace)
	if err != nil {
		return err
	}
	s.results.AddStop(sub.ID, o.ID, t)
	s.say("%-16s %-10s exit after %.1f ms", sub.ID, o.ID, t.MS)
	return nil
}

func (s *session) command(sub subject.Subject, limit time.Duration, https bool) server.Command {
	return func(addr string) []string { return s.place.Command(sub, addr, limit, https) }
}

func (s *session) steadyCommand(sub subject.Subject) server.Command {
	return func(addr string) []string { return s.place.Steady(sub, addr, s.cfg.limit) }
}

// steady measures throughput and memory. The bases come first, since the others are compared with them.
func (s *session) steady(ctx context.Context, round int) error {
	s.bases = map[string]float64{}
	for _, base := range []bool{true, false} {
		for _, sub := range s.order(round) {
			if (sub.ID == s.baseline(sub)) != base || !s.wantsSteady(sub) {
				continue
			}
			err := s.try(ctx, sub.ID+" in steady state", func() error { return s.measureSteady(ctx, sub) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// baseline is the ID of the subject whose steady state is 1.
func (s *session) baseline(sub subject.Subject) string {
	if s.cfg.base != "" && sub.Runtime == subject.Go {
		return s.cfg.base
	}
	return sub.Baseline()
}

// wantsSteady is true of a base if it is true of one that is compared with it.
func (s *session) wantsSteady(sub subject.Subject) bool {
	for _, other := range s.subjects {
		if (other.ID == sub.ID || s.baseline(other) == sub.ID) && s.cfg.wants(other.ID, steadyMeasure, steadyMeasure) {
			return true
		}
	}
	return false
}

func (s *session) measureSteady(ctx context.Context, sub subject.Subject) error {
	base, _ := subject.Find(s.subjects, s.baseline(sub))
	bytes, err := steady.PerConnection(ctx, s.steadyCommand(sub), s.cfg.idle)
	if err != nil {
		return err
	}
	// The base is compared with another instance of itself: its range is the noise.
	t, err := steady.Compare(ctx, s.steadyCommand(base), s.steadyCommand(sub), s.cfg.window)
	if err != nil {
		return err
	}
	if sub.ID == base.ID {
		s.bases[base.ID] = bytes
	}
	s.results.AddThroughput(sub.ID, base.ID, t)
	s.results.AddMemory(sub.ID, base.ID, bytes, s.bases[base.ID])
	s.say("%-16s %-10s %.3f of %s, %.0f bytes per connection", sub.ID, "steady", t.Ratio, base.ID, bytes)
	return nil
}

func (s *session) say(format string, args ...any) {
	progress(s.stderr, "%6.0fs  "+format, append([]any{time.Since(s.began).Seconds()}, args...)...)
}
