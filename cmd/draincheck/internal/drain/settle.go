package drain

import (
	"context"
	"fmt"
	"time"
)

// settleAuto turns Auto into numbers, now that the server can be asked. What was asked
// for by a number must be there.
func (c *check) settleAuto(ctx context.Context) error {
	cfg := &c.cfg
	auto := func(n *int, on bool, some int) {
		if *n == Auto {
			*n = 0
			if on {
				*n = some
			}
		}
	}
	auto(&cfg.Slow, cfg.SlowPath != "", autoSlow)
	auto(&cfg.Streams, cfg.StreamPath != "", autoStreams)
	auto(&cfg.WebSockets, cfg.WSPath != "", autoWebSockets)
	for _, path := range []*string{&cfg.SlowPath, &cfg.StreamPath, &cfg.WSPath} {
		if *path == "" {
			*path = c.target.path
		}
	}

	if c.onlyHTTP2 && !cfg.GRPC {
		c.note("the server speaks only HTTP/2, so the kinds of load over HTTP/1.1 were left out")
	}
	count, flag, off := &cfg.H2C, "-h2c", &cfg.H2
	if c.target.https {
		count, flag, off = &cfg.H2, "-h2", &cfg.H2C
	}
	*off = 0
	if *count == 0 {
		return nil
	}
	h, err := dialH2(ctx, c.dialer, min(cfg.Timeout, 2*time.Second))
	if err == nil {
		h.close()
		some := autoH2
		if c.onlyHTTP2 {
			// It is all the load that there is.
			some = autoOnlyH2
		}
		auto(count, true, some)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if *count == Auto {
		*count = 0
		return nil
	}
	return fmt.Errorf("%s %d: the server does not speak HTTP/2 there: %w", flag, *count, err)
}
