package steady

import (
	"context"
	"errors"
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

// Compare measures a server against its baseline. Both run, and are loaded in turn, base first, theirs twice, base
// again: what slows the machine down for longer than a window slows both.
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

	var counts [2]int
	for i, conns := range [][]*client{a, b, a, b, b, a} {
		n, err := count(ctx, conns, window)
		if err != nil {
			return Throughput{}, err
		}
		// The first two warm up.
		switch i {
		case 2, 5:
			counts[0] += n
		case 3, 4:
			counts[1] += n
		}
	}
	if counts[0] == 0 {
		return Throughput{}, errors.New("the baseline answered no request")
	}
	return Throughput{
		Ratio: float64(counts[1]) / float64(counts[0]),
		Rate:  float64(counts[1]) / (2 * window).Seconds(),
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
