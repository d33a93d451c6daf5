// Command mutate shows how much a package's tests notice. It makes a sample of small
// changes to the package, one at a time, runs the tests for each, and lists the changes
// with which they still pass. From the root of the repository:
//
//	go run ./internal/mutate -pkg ./fxshutdown -n 100 -seed 1
//	go run ./internal/mutate -pkg ./fxshutdown -n 10 -only budget.go -fast 'Budget|Decide'
//	go run ./internal/mutate -branches -func '^decide|Until$|^cutBy' -run Decide
//
// The same seed makes the same sample of the same source, so -from continues where a run
// was interrupted, or looks at one mutant again. A survivor is a gap in the tests, or a
// change that has no effect; only a reader can tell. A test that sometimes fails on its
// own would make the result look better than it is, so the test that noticed a mutant
// runs again; if it does not notice the mutant again, that too is for a reader. With
// -branches there is no sample: each branch, and each part of a condition, is removed
// once. The source is left alone: changed files are overlays (go help build, -overlay).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	pkg      string
	n        int
	seed     uint64
	from     int
	only     []string
	funcs    *regexp.Regexp
	branches bool
	fast     string
	run      string
	timeout  time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	p, err := load(ctx, o.pkg)
	if err != nil {
		return err
	}
	sample, err := p.sample(o)
	if err != nil {
		return err
	}
	t, err := newTester(p, o)
	if err != nil {
		return err
	}
	defer t.close()

	// Tests that fail anyway would notice everything.
	began := time.Now()
	r, err := t.test(ctx, nil)
	if err != nil {
		return err
	}
	if r.outcome != survived && r.outcome != once {
		return fmt.Errorf("the tests of %s fail without a change: %s", p.ImportPath, r)
	}
	fmt.Fprintf(out, "%d mutants are possible; without a change the tests take %v: %s\n",
		len(sample), time.Since(began).Round(100*time.Millisecond), r)

	s := summary{out: out}
	defer s.print() // what was found so far, if it was interrupted
	for i, m := range sample[min(o.from-1, len(sample)):] {
		if s.counted() == o.n && !o.branches {
			break
		}
		began := time.Now()
		r, err := t.test(ctx, &m)
		if err != nil {
			return err
		}
		s.add(o.from+i, m, r, time.Since(began))
	}
	return nil
}

func parse(args []string) (o options, err error) {
	fs := flag.NewFlagSet("mutate", flag.ContinueOnError)
	fs.StringVar(&o.pkg, "pkg", "./fxshutdown", "the package")
	fs.IntVar(&o.n, "n", 20, "number of mutants to test; those that do not compile do not count")
	fs.Uint64Var(&o.seed, "seed", 1, "which sample to take")
	fs.IntVar(&o.from, "from", 1, "number of the mutant in the sample to begin with")
	only := fs.String("only", "", "names of the files to change, with commas between them (all)")
	funcs := fs.String("func", "", "regular expression of the functions to change (all)")
	fs.BoolVar(&o.branches, "branches", false, "remove each branch and each part of a condition, instead of taking a sample")
	fs.StringVar(&o.fast, "fast", "", "regular expression of the tests to run first, since they notice most")
	fs.StringVar(&o.run, "run", "", "regular expression of the tests to run (all)")
	fs.DurationVar(&o.timeout, "timeout", 2*time.Minute, "time limit for one run of the tests; a mutant that exceeds it counts as noticed")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.n < 1:
		return o, errors.New("-n: want at least 1")
	case o.from < 1:
		return o, errors.New("-from: want at least 1")
	case o.timeout <= 0:
		return o, errors.New("-timeout: want more than 0")
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if o.funcs, err = regexp.Compile(*funcs); err != nil {
		return o, fmt.Errorf("-func: %w", err)
	}
	return o, nil
}

// sample returns the mutants of the package: shuffled by the seed, or, if they are
// branches, in the order of the source.
func (p *pkg) sample(o options) ([]mutant, error) {
	for _, name := range o.only {
		if !slices.Contains(p.GoFiles, name) {
			return nil, fmt.Errorf("-only: %s has no %q, it has %s", p.ImportPath, name, strings.Join(p.GoFiles, " "))
		}
	}
	var all []mutant
	for _, name := range p.GoFiles {
		if o.only != nil && !slices.Contains(o.only, name) {
			continue
		}
		src, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		p.sources[name] = src
		ms, err := mutants(name, src, o.branches)
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			if o.funcs.MatchString(m.function) {
				all = append(all, m)
			}
		}
	}
	if o.branches {
		return all, nil
	}
	rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, nil
}
