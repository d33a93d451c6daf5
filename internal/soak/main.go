// Command soak stops a loaded server many times and counts what its clients lost. The load
// comes from draincheck, which it builds from this repository.
//
//	go run ./internal/soak -rounds 200
//	go run ./internal/soak -rounds 200 -scenario keep-alive,offsets -server net/http
//	go run ./internal/soak -rounds 20 -scenario keep-alive,new-conn -listener owned
//	go run ./internal/soak -rounds 1 -scenario keep-alive,h2 -age 300ms -load 60s
//
// For each scenario it prints how many requests were answered (ok), how many were written
// and got no complete response (lost), how many were never sent because the dial was
// refused, or were refused by HTTP/2's GOAWAY (refused), how many were pipelined behind a
// response that said close (behind), and how long the stops took, to the end of the
// process. It exits with 1 if a request was lost, or if the server's own account of a stop
// was wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// options are those of all scenarios.
type options struct {
	rounds   string
	kind     string
	listener string
	grace    time.Duration
	age      time.Duration
	load     time.Duration
	verbose  bool
}

// someLoad is the time under load before each stop, unless the command line says another.
const someLoad = 60 * time.Millisecond

// bare is the kind of server without fxshutdown.
const bare = "net/http"

func main() {
	serveIfAsked()
	var o options
	rounds := flag.Int("rounds", 20, "stops of each scenario")
	only := flag.String("scenario", "all", "scenarios to run, separated by commas: "+strings.Join(scenarioNames(), ", "))
	flag.StringVar(&o.kind, "server", "fxshutdown", "what to stop: fxshutdown, or net/http for comparison")
	flag.StringVar(&o.listener, "listener", "own", "how fxshutdown gets its socket: "+strings.Join(listenerNames(), ", "))
	flag.DurationVar(&o.grace, "grace", fxshutdown.DefaultIdleGrace, "IdleGrace of the server")
	flag.DurationVar(&o.age, "age", 0, "MaxConnectionAge of the server; a busy connection that lives longer is an error")
	flag.DurationVar(&o.load, "load", someLoad, "time under load before each stop")
	flag.BoolVar(&o.verbose, "v", false, "print every lost request")
	flag.Parse()
	o.rounds = strconv.Itoa(*rounds)
	if flag.NArg() > 0 || *rounds < 1 || (o.kind != "fxshutdown" && o.kind != bare) || !slices.Contains(listenerNames(), o.listener) {
		flag.Usage()
		os.Exit(2)
	}
	names := strings.Split(*only, ",")
	for _, name := range names {
		if name != "all" && !slices.Contains(scenarioNames(), name) {
			fmt.Fprintf(os.Stderr, "soak: no scenario %q\n", name)
			os.Exit(2)
		}
	}
	if *only == "all" {
		names = scenarioNames()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, o, names)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, o options, names []string) (code int) {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin, err := draincheck.Build(ctx, dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	fmt.Printf("%-14s %6s %9s %6s %8s %7s   %9s %9s %9s\n", "scenario", "stops", "ok", "lost", "refused", "behind", "min", "median", "max")
	for _, sc := range scenarios {
		if !slices.Contains(names, sc.name) {
			continue
		}
		r, err := sc.run(ctx, bin, o)
		if err != nil {
			fmt.Fprintf(os.Stderr, "soak: %s: %v\n", sc.name, err)
			return 1
		}
		if o.verbose {
			for _, l := range r.losses() {
				fmt.Printf("  lost: %s\n", l)
			}
		}
		t, took := r.Total, r.took()
		fmt.Printf("%-14s %6s %9d %6d %8d %7d   %9s %9s %9s\n", sc.name, o.rounds, t.Answered, t.Lost, t.RefusedDials+t.RefusedStreams,
			t.BehindClose, ms(took[0]), ms(took[len(took)/2]), ms(took[len(took)-1]))
		if o.age > 0 {
			for line := range strings.Lines(r.printed) {
				if strings.Contains(line, agesWord) {
					fmt.Print("  ", line[strings.Index(line, agesWord):])
				}
			}
		}
		// What draincheck complains about apart from losses, such as the server's exit
		// code.
		for _, reason := range r.otherReasons() {
			fmt.Printf("  %s\n", reason)
			code = 1
		}
		if t.Lost > 0 {
			code = 1
		}
	}
	return code
}

func ms(m float64) string { return fmt.Sprintf("%.1fms", m) }
