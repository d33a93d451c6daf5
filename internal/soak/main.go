// Command soak stops a loaded server as often as it is asked to and counts what
// its clients lost.
//
//	go run ./internal/soak -rounds 200
//	go run ./internal/soak -rounds 200 -scenario keep-alive,offsets -server net/http
//	go run ./internal/soak -rounds 20 -scenario keep-alive,new-conn -listener owned
//
// For each scenario it prints how many requests were answered (ok), how many were
// written and got no complete response (lost), how many were never sent because
// the dial was refused, or were refused by HTTP/2's GOAWAY (refused), how many
// were pipelined behind a response that said close (behind), and how long the
// stops took. It exits with 1 if a request was lost.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func main() {
	rounds := flag.Int("rounds", 20, "stops a scenario")
	only := flag.String("scenario", "all", "scenarios to run, separated by commas: "+strings.Join(scenarioNames(), ", "))
	kind := flag.String("server", "fxshutdown", "what to stop: fxshutdown, or net/http for comparison")
	listener := flag.String("listener", "own", "how fxshutdown comes by its socket: "+strings.Join(listenerNames(), ", "))
	grace := flag.Duration("grace", fxshutdown.DefaultIdleGrace, "IdleGrace of the server")
	verbose := flag.Bool("v", false, "print every lost request")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 || (*kind != "fxshutdown" && *kind != "net/http") || !slices.Contains(listenerNames(), *listener) {
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

	fmt.Printf("%-12s %6s %9s %6s %8s %7s   %9s %9s %9s\n", "scenario", "stops", "ok", "lost", "refused", "behind", "min", "median", "max")
	var lost int64
	for _, sc := range scenarios {
		if *only != "all" && !slices.Contains(names, sc.name) {
			continue
		}
		var sum counts
		var took []time.Duration
		for range *rounds {
			r, err := sc.round(*kind, *listener, *grace)
			if err != nil {
				fmt.Fprintf(os.Stderr, "soak: %s: %v\n", sc.name, err)
				os.Exit(1)
			}
			if *verbose {
				for _, l := range r.losses {
					fmt.Printf("  lost: %s\n", l)
				}
			}
			sum.add(r.counts)
			took = append(took, r.took)
		}
		slices.Sort(took)
		fmt.Printf("%-12s %6d %9d %6d %8d %7d   %9s %9s %9s\n", sc.name, *rounds, sum.ok, sum.lost, sum.refused, sum.behind,
			ms(took[0]), ms(took[len(took)/2]), ms(took[len(took)-1]))
		lost += sum.lost
	}
	if lost > 0 {
		os.Exit(1)
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d)/1e6) }
