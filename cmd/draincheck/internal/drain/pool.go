package drain

import (
	"context"
	"sync"
)

// A pool is the pool of connections of a client such as a proxy: many were opened by a
// burst of requests, few are in use at any time, and a request takes the one that was
// used last. The others stay idle until a server that closes the ones in use makes the
// client reach for them.
type pool struct {
	size int // connections opened by the burst
	fill sync.Once

	mu   sync.Mutex // guards what follows
	idle []*conn    // the one used last is at the end
}

// take returns the idle connection that was used last, or nil if none is idle.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	cn := p.idle[last]
	p.idle = p.idle[:last]
	return cn
}

func (p *pool) put(cn *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, cn)
}

func (p *pool) close() {
	for cn := p.take(); cn != nil; cn = p.take() {
		cn.Close()
	}
}

// A poolClient sends one request after another, each on a connection of the pool that it
// shares with others.
type poolClient struct {
	client
	pool *pool
}

func (c *poolClient) run(ctx context.Context) {
	// Each client closes what is idle when it ends, the last one what is left.
	defer c.pool.close()
	c.pool.fill.Do(func() { c.burst(ctx) })
	for !c.over(ctx) {
		c.once(ctx, c.pool.take())
		c.arm()
		sleep(ctx, c.gate.over, c.pause)
	}
}

// burst fills the pool: as many requests at a time as it has connections.
func (c *poolClient) burst(ctx context.Context) {
	var wg sync.WaitGroup
	for range c.pool.size {
		wg.Go(func() { c.once(ctx, nil) })
	}
	wg.Wait()
}

// once sends a request on cn, or on a new connection if cn is nil, and leaves the
// connection to the pool if it can be used again.
func (c *poolClient) once(ctx context.Context, cn *conn) {
	if cn == nil {
		var err error
		if cn, err = c.dialer.dial(c.dialing, "http/1.1"); err != nil {
			c.rec.dialFailed(err)
			sleep(ctx, c.gate.over, backoff)
			return
		}
	}
	if !c.exchange(ctx, cn) {
		cn.Close()
		return
	}
	c.pool.put(cn)
}
