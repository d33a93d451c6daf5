package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

// A config is what the command line says.
type config struct {
	rounds int
	only   []string
	quick  bool
	steady bool   // only the steady state, printed and not published
	base   string // of the Go servers' steady state, in place of net/http
	render bool
	out    string

	load       time.Duration // under load before the signal
	limit      time.Duration // of a stop
	stuckLimit time.Duration // of a stop that only the limit ends
	window     time.Duration // of a throughput measurement
	idle       int           // connections of a memory measurement
	sufficient int
}

// grace is how long after its limit a server is killed.
const grace = 5 * time.Second

// Measures, as -only names them.
const (
	lostMeasure   = "lost"
	stopMeasure   = "stop"
	steadyMeasure = "steady"
)

func parse(args []string, stderr io.Writer) (*config, error) {
	c := &config{load: 500 * time.Millisecond, limit: 15 * time.Second, stuckLimit: 3 * time.Second,
		window: 50 * time.Millisecond, idle: 1000, sufficient: 3}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	only := fs.String("only", "", "measure only these, with commas between them: subjects ("+strings.Join(subjectIDs(), " ")+
		"), measures (lost stop steady), loads ("+strings.Join(loadIDs(), " ")+
		"), obstacles ("+strings.Join(obstacleIDs(), " ")+"); writes to bench/work/results")
	fs.IntVar(&c.rounds, "rounds", 20, "how often to make each measurement")
	fs.BoolVar(&c.steady, "steady", false, "measure only the steady state, print it, and write nothing")
	fs.StringVar(&c.base, "base", "", "with -steady: the subject to compare Go servers with (nethttp)")
	pairs := fs.Int("pairs", 21, "with -steady: how many pairs of servers to compare")
	fs.BoolVar(&c.quick, "quick", false, "make one short round, to see that everything works; writes to bench/work/results")
	fs.BoolVar(&c.render, "render", false, "measure nothing: write the table and plots again from results.json and notes.json")
	fs.StringVar(&c.out, "out", "", "directory to write to (bench/results)")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if c.rounds < 1 {
		return nil, errors.New("-rounds: want at least 1")
	}
	if *only != "" {
		c.only = strings.Split(*only, ",")
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case given["pairs"] && !c.steady:
		return nil, errors.New("-pairs: only with -steady")
	case c.base != "" && !c.steady:
		return nil, errors.New("-base: only with -steady")
	case c.base != "" && !isGo(c.base):
		return nil, fmt.Errorf("-base: %q is not a Go server", c.base)
	case *pairs < 1:
		return nil, errors.New("-pairs: want at least 1")
	case c.steady && (given["rounds"] || given["out"] || c.render):
		return nil, errors.New("-steady: not with -rounds, -out or -render")
	case c.steady:
		c.rounds = *pairs
		c.only = append(c.only, steadyMeasure)
	}
	known := slices.Concat(subjectIDs(), loadIDs(), obstacleIDs(), []string{lostMeasure, stopMeasure, steadyMeasure})
	for _, id := range c.only {
		if !slices.Contains(known, id) {
			return nil, fmt.Errorf("-only: unknown %q: want some of %s", id, strings.Join(known, " "))
		}
	}
	if c.quick {
		c.rounds = 1
		c.load, c.limit, c.stuckLimit = 200*time.Millisecond, 3*time.Second, time.Second
		c.window, c.idle = 10*time.Millisecond, 200
	}
	return c, nil
}

// partial reports whether what is measured is less than what is published.
func (c *config) partial() bool { return c.quick || len(c.only) > 0 }

// wants reports whether -only lets a measurement through: of the subjects, measures and kinds that it names, if it
// names any, one each must fit.
func (c *config) wants(subject, measure, kind string) bool {
	measures := slices.Concat(loadIDs(), obstacleIDs(), []string{steadyMeasure, lostMeasure, stopMeasure})
	return c.allows(subjectIDs(), subject) &&
		(c.allows(measures, kind) || slices.Contains(c.only, measure))
}

// named are the variants that are asked for.
func (c *config) named() []subject.Subject {
	return slices.DeleteFunc(subject.Variants(), func(s subject.Subject) bool { return !slices.Contains(c.only, s.ID) && c.base != s.ID })
}

// allows reports whether -only names id, or none of ids.
func (c *config) allows(ids []string, id string) bool {
	return slices.Contains(c.only, id) ||
		!slices.ContainsFunc(c.only, func(o string) bool { return slices.Contains(ids, o) })
}

// wantsNode reports whether Node is needed.
func (c *config) wantsNode() bool {
	return slices.ContainsFunc(subject.All(), func(s subject.Subject) bool {
		return s.Runtime == subject.Node && c.allows(subjectIDs(), s.ID)
	})
}

func isGo(id string) bool {
	s, ok := subject.Find(slices.Concat(subject.All(), subject.Variants()), id)
	return ok && s.Runtime == subject.Go
}

func subjectIDs() (ids []string) {
	for _, s := range slices.Concat(subject.All(), subject.Variants()) {
		ids = append(ids, s.ID)
	}
	return ids
}

func loadIDs() (ids []string) {
	for _, k := range load.Kinds() {
		ids = append(ids, k.ID)
	}
	return ids
}

func obstacleIDs() (ids []string) {
	for _, o := range probe.Obstacles() {
		if o.ID != "slow" { // which is a kind of load, too
			ids = append(ids, o.ID)
		}
	}
	return ids
}
