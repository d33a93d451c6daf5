package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
	"github.com/fxshutdown/fxhttp/internal/link"
)

func main() {
	link.ExecIfAsked()
	serveIfAsked()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "farload:", err)
		os.Exit(2)
	}
	tooMany, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "farload:", err)
		os.Exit(2)
	}
	if tooMany {
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	rtts       []time.Duration
	loads      []load
	servers    []string
	stops      int
	loss       float64
	seed       uint64
	pull       pull
	within     time.Duration
	maxLost    int
	draincheck string
	verbose    bool
}

func parse(args []string) (*options, error) {
	o := &options{}
	var size sizes
	fs := flag.NewFlagSet("farload", flag.ExitOnError)
	rtts := fs.String("rtt", "40ms", "round-trip times, separated by commas")
	loads := fs.String("load", "new", "loads: "+strings.Join(loadNames(), ", "))
	kinds := fs.String("server", "fxshutdown,bare", "servers: "+strings.Join(serverNames(), ", "))
	fs.IntVar(&size.clients, "clients", 32, "clients of the loads new, keepalive and h2 (with h2, 8 share a connection)")
	fs.IntVar(&size.pool, "pool", 0, "connections of the load pool (0: as many as -clients)")
	fs.IntVar(&size.busy, "busy", 4, "connections of the pool that are in use at a time")
	fs.BoolVar(&size.together, "together", false, "start all clients at the same moment, instead of spread over two round trips")
	fs.BoolVar(&size.tls, "tls", false, "run all loads over TLS (h2 always runs over TLS)")
	fs.DurationVar(&size.age, "age", 0, "MaxConnectionAge of fxshutdown (0: none)")
	fs.DurationVar(&size.lasts, "for", 0, "time under load before each stop (0: a moment)")
	fs.IntVar(&o.stops, "stops", 10, "stops of each server, for each round-trip time and load")
	fs.Float64Var(&o.loss, "loss", 0, "share of packets lost in each direction, such as 0.01")
	fs.Uint64Var(&o.seed, "seed", 1, "seed for the choice of lost packets")
	fs.DurationVar(&o.pull.after, "pull-after", 0, "pull the cable this long after the stop began")
	fs.DurationVar(&o.pull.lasts, "pull-for", 0, "plug it in again after this time (0: never pull it)")
	fs.DurationVar(&o.within, "within", 20*time.Second, "kill a server that has not ended after this time")
	fs.IntVar(&o.maxLost, "max-lost", -1, "exit with 1 if a server other than bare lost more than this in a row of the table (-1: never)")
	fs.StringVar(&o.draincheck, "draincheck", "", "the draincheck binary (built if not given)")
	fs.BoolVar(&o.verbose, "v", false, "print every stop")
	fs.Parse(args)

	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if size.pool == 0 {
		size.pool = size.clients
	}
	if size.clients < 1 || size.busy < 1 || size.busy > size.pool || o.stops < 1 {
		return nil, errors.New("want -clients, -busy and -stops to be at least 1, and -busy to be at most -pool")
	}
	for text := range strings.SplitSeq(*rtts, ",") {
		rtt, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("-rtt: %w", err)
		}
		o.rtts = append(o.rtts, rtt)
	}
	for name := range strings.SplitSeq(*loads, ",") {
		l, ok := size.load(name)
		if !ok {
			return nil, fmt.Errorf("-load: no load %q", name)
		}
		o.loads = append(o.loads, l)
	}
	o.servers = strings.Split(*kinds, ",")
	for _, kind := range o.servers {
		if !slices.Contains(serverNames(), kind) {
			return nil, fmt.Errorf("-server: no server %q", kind)
		}
	}
	return o, nil
}

// run carries out what the options ask for and prints a row for each server. It
// reports whether one lost too many.
func run(ctx context.Context, o *options) (tooMany bool, err error) {
	dir, err := os.MkdirTemp("", "farload")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if o.draincheck == "" {
		if o.draincheck, err = draincheck.Build(ctx, dir); err != nil {
			return false, err
		}
	}
	printHead()
	for _, rtt := range o.rtts {
		b, err := openBed(link.Config{RTT: rtt, Loss: o.loss, Seed: o.seed}, o.draincheck, dir, o.within)
		if err != nil {
			return false, err
		}
		for _, l := range o.loads {
			rows, err := b.alternate(ctx, o, l)
			if err != nil {
				b.close()
				return false, err
			}
			for i, r := range rows {
				r.print(rtt, l.title, o.servers[i])
				tooMany = tooMany || o.servers[i] != bare && o.maxLost >= 0 && r.lost() > o.maxLost
			}
		}
		b.close()
	}
	return tooMany, nil
}

// alternate stops the servers in turn, so that each has its share of whatever else
// the machine does.
func (b *bed) alternate(ctx context.Context, o *options, l load) ([]row, error) {
	rows := make([]row, len(o.servers))
	for i := range o.stops {
		for j := range o.servers {
			// No server is always the first.
			j := (i + j) % len(o.servers)
			s, err := b.stop(ctx, o.servers[j], l, o.pull)
			if err != nil {
				return nil, fmt.Errorf("stop %d of %s: %w", i+1, o.servers[j], err)
			}
			rows[j] = append(rows[j], s)
			if o.verbose {
				fmt.Printf("  %d %-11s %s\n", i+1, o.servers[j], s)
			}
		}
	}
	return rows, nil
}
