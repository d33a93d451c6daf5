// Command spread shows when the clients of a server that stops come back elsewhere.
//
//	go run ./internal/spread -websockets 5000 -keepalive 2000 -over 3s
//	go run ./internal/spread -websockets 5000 -keepalive 2000 -over 0
//
// It starts a server with Config.DrainSpread in a process of its own, opens idle WebSockets
// and keep-alive connections to it, and stops it. Each client connects to a second server
// as soon as its connection has ended. The command prints how many did so in each 100 ms.
//
// It exits with 1 if one of these 100 ms has more than twice the even share (not with
// -over 0, which is for comparison), if a client was lost (its connection ended without a
// Close frame or with an error, or it could not come back), or if the stop failed or took
// longer than its budget. On a busy machine, compare the stalls that it prints: what a
// process misses while it has no processor comes all at once afterwards.
//
// To the engine, a client is an IP address, so the clients have many: 127.0.0.1 and those
// that follow. macOS has only the first: use -addresses 1 there. The server's process and
// this one need a descriptor for each connection.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

// options are what the command line says.
type options struct {
	websockets, keepAlive int
	over                  time.Duration
	addresses             int
}

// maxAddresses is how many follow 127.0.0.0 in two bytes.
const maxAddresses = 1<<16 - 2

func main() {
	serveIfAsked()
	var o options
	flag.IntVar(&o.websockets, "websockets", 5000, "idle WebSockets")
	flag.IntVar(&o.keepAlive, "keepalive", 2000, "idle keep-alive connections")
	flag.DurationVar(&o.over, "over", 3*time.Second, "DrainSpread of the server (0: none)")
	flag.IntVar(&o.addresses, "addresses", 200, "number of IP addresses that the clients share")
	flag.Parse()
	if flag.NArg() > 0 || o.websockets < 0 || o.keepAlive < 0 || o.websockets+o.keepAlive == 0 || o.over < 0 ||
		o.addresses < 1 || o.addresses > maxAddresses {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	r, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "spread:", err)
		os.Exit(1)
	}
	r.print(os.Stdout)
	problems := r.problems()
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// openWithin bounds how long it takes to open all connections.
const openWithin = 2 * time.Minute

// budget is the time of Stop's context. If it were less than twice the spread and what
// the engine reserves for its end, the spread would be shortened.
func (o options) budget() time.Duration { return 3*o.over + 5*time.Second }

func run(ctx context.Context, o options) (*result, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin+2*o.budget())
	defer cancel()
	second, err := listenElsewhere()
	if err != nil {
		return nil, err
	}
	defer second.close()
	first, err := startServer(ctx, o)
	if err != nil {
		return nil, err
	}
	defer first.kill()
	clients, err := openAll(ctx, first.addr, o)
	if err != nil {
		return nil, err
	}
	// No client may count as busy any more when the stop begins.
	select {
	case <-time.After(2 * idleGrace):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	stalls := watchStalls()
	moved := moveAll(clients, second.addr(), time.Now().Add(2*o.budget()))
	began := time.Now()
	end, err := first.stop()
	if err != nil {
		return nil, err
	}
	r := &result{options: o, end: end, lost: <-moved, stalled: stalls()}
	r.count(second.arrivals(), began)
	return r, nil
}

// watchStalls measures for how long this process had no processor, until what it returns
// is called.
func watchStalls() (longest func() time.Duration) {
	const every = 5 * time.Millisecond
	quit, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		var stalled time.Duration
		for {
			looked := time.Now()
			select {
			case <-quit:
				result <- stalled
				return
			case <-time.After(every):
			}
			stalled = max(stalled, time.Since(looked)-every)
		}
	}()
	return func() time.Duration {
		close(quit)
		return <-result
	}
}
