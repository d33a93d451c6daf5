package steady

import (
	"context"
	"errors"
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
}

// turns is how often base and other take turns.
const turns = 10

// Compare measures a server against its baseline. Both run, and are loaded in turn, base, other, other, base, again and
// again in short windows: what slows the machine down for longer than a window slows both. The ratio is the median of
// those of the turns.
func Compare(ctx context.Context, base, other server.Command, window time.Duration) (Throughput, error) {
	a, stopA, err := busy(ctx, base)
	if err != nil {
		return Throughput{}, err
	}
	defer stopA()
	b, stopB, err := busy(ctx, other)
	if err != nil {
		return Throughput{}, err
	}
	defer stopB()

	var ratios []float64
	total := 0
	for turn := range turns + 1 {
		var counts [4]int
		for i, conns := range [][]*client{a, b, b, a} {
			if counts[i], err = count(ctx, conns, window); err != nil {
				return Throughput{}, err
			}
		}
		if turn == 0 {
			continue // warms up
		}
		bases, others := counts[0]+counts[3], counts[1]+counts[2]
		if bases == 0 {
			return Throughput{}, errors.New("the baseline answered no request")
		}
		ratios = append(ratios, float64(others)/float64(bases))
		total += others
	}
	slices.Sort(ratios)
	return Throughput{
		Ratio: (ratios[(len(ratios)-1)/2] + ratios[len(ratios)/2]) / 2,
		Rate:  float64(total) / (2 * turns * window).Seconds(),
	}, nil
}

func busy(ctx context.Context, command server.Command) ([]*client, func(), error) {
	s, err := server.Start(ctx, command)
	if err != nil {
		return nil, nil, err
	}
	conns, err := dialN(s.Addr, clients)
	if err != nil {
		s.Kill()
		return nil, nil, err
	}
	return conns, func() { closeAll(conns); s.Kill() }, nil
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
