package steady

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/bench/internal/server"
)

// clients is how many connections are busy at a time.
const clients = 16

// A Throughput compares two servers.
type Throughput struct {
	Ratio float64 // ours/base
	Rate  float64 // requests a second of ours
	CPU   float64 // ours/base: processor time a request
}

// turns is how often base and other take turns.
const turns = 10

// Compare measures a server against its baseline. Both run, and are loaded in turn, base, other, other, base, again and
// again in short windows: what slows the machine down for longer than a window slows both. The ratio is the median of
// those of the turns.
func Compare(ctx context.Context, base, other server.Command, window time.Duration) (Throughput, error) {
	a, err := load(ctx, base)
	if err != nil {
		return Throughput{}, err
	}
	defer a.close()
	b, err := load(ctx, other)
	if err != nil {
		return Throughput{}, err
	}
	defer b.close()

	turn := func() (ofA, ofB int, err error) {
		var counts [4]int
		for i, l := range []*loaded{a, b, b, a} {
			if counts[i], err = count(ctx, l.conns, window); err != nil {
				return 0, 0, err
			}
		}
		return counts[0] + counts[3], counts[1] + counts[2], nil
	}
	if _, _, err := turn(); err != nil { // warms up
		return Throughput{}, err
	}
	if err := errors.Join(a.begin(), b.begin()); err != nil {
		return Throughput{}, err
	}
	var ratios []float64
	for range turns {
		ofA, ofB, err := turn()
		if err != nil {
			return Throughput{}, err
		}
		if ofA == 0 {
			return Throughput{}, errors.New("the baseline answered no request")
		}
		ratios = append(ratios, float64(ofB)/float64(ofA))
		a.requests += ofA
		b.requests += ofB
	}
	cpuOfA, errA := a.perRequest()
	cpuOfB, errB := b.perRequest()
	if err := errors.Join(errA, errB); err != nil {
		return Throughput{}, err
	}
	slices.Sort(ratios)
	return Throughput{
		Ratio: (ratios[(len(ratios)-1)/2] + ratios[len(ratios)/2]) / 2,
		Rate:  float64(b.requests) / (2 * turns * window).Seconds(),
		CPU:   cpuOfB / cpuOfA,
	}, nil
}

// A loaded server has clients.
type loaded struct {
	server   *server.Server
	conns    []*client
	requests int     // since begin
	cpu      float64 // microseconds until begin
}

func load(ctx context.Context, command server.Command) (*loaded, error) {
	s, err := server.Start(ctx, command)
	if err != nil {
		return nil, err
	}
	conns, err := dialN(s.Addr, clients)
	if err != nil {
		s.Kill()
		return nil, err
	}
	return &loaded{server: s, conns: conns}, nil
}

func (l *loaded) close() {
	closeAll(l.conns)
	l.server.Kill()
}

// begin begins to count the processor time.
func (l *loaded) begin() (err error) {
	l.cpu, err = ask(l.server.Addr, "/cpu")
	return err
}

// perRequest returns the microseconds of a request since begin.
func (l *loaded) perRequest() (float64, error) {
	cpu, err := ask(l.server.Addr, "/cpu")
	if err != nil {
		return 0, err
	}
	if cpu <= l.cpu || l.requests == 0 {
		return 0, fmt.Errorf("%d requests took %.0f µs of processor time", l.requests, cpu-l.cpu)
	}
	return (cpu - l.cpu) / float64(l.requests), nil
}

// count returns how many requests are answered in the window.
func count(ctx context.Context, conns []*client, window time.Duration) (int, error) {
	var (
		wg     sync.WaitGroup
		counts = make([]int, len(conns))
		errs   = make([]error, len(conns))
		end    = time.Now().Add(window)
	)
	for i, c := range conns {
		wg.Go(func() {
			for errs[i] == nil && time.Now().Before(end) {
				errs[i] = c.roundTrip()
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, errors.Join(append(errs, ctx.Err())...)
}
