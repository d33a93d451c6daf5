package drain

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

// A maker makes the i-th client of a kind: a function that runs until the load is over.
type maker func(rec *recorder, arm func(), i int) func(context.Context)

// plan makes the recorders of a round and the clients that fill them. Each client is a function that runs until the
// load is over.
func (c *check) plan(g *gate, clk *clock) (recorders []*recorder, clients []func(context.Context)) {
	cfg, t := &c.cfg, c.target

	// add plans n clients of one kind, each made by its own call of client.
	add := func(name string, n int, client maker) {
		if n == 0 {
			return
		}
		rec := &recorder{name: name, clients: n, clock: clk}
		recorders = append(recorders, rec)
		for i := range n {
			g.armed.Add(1)
			arm := sync.OnceFunc(g.armed.Done)
			run := client(rec, arm, i)
			clients = append(clients, func(ctx context.Context) {
				defer arm()
				sleep(ctx, g.over, cfg.Spread*time.Duration(i)/time.Duration(n))
				run(ctx)
			})
		}
	}
	http1 := func(path string, slow bool, perConn, batch int, extra ...string) maker {
		return func(rec *recorder, arm func(), _ int) func(context.Context) {
			if slow {
				rec.want = cfg.Slow
			}
			cl := &client{rec: rec, gate: g, dialer: c.dialer, clock: clk, timeout: cfg.Timeout, pause: cfg.Pause,
				perConn: perConn, batch: batch, slow: slow, arm: arm}
			cl.newHTTP1(cfg, t, path, extra...)
			return cl.run
		}
	}
	hold := func(rec *recorder, arm func()) holder {
		return holder{rec: rec, gate: g, dialer: c.dialer, clock: clk, arm: arm}
	}

	add("keepalive", cfg.KeepAlive, http1(t.path, false, 0, 1))
	add("newconn", cfg.NewConn, http1(t.path, false, 1, 1, "Connection: close"))
	add("pipelined", cfg.Pipelined, http1(t.path, false, 0, 2))
	shared := &pool{size: cfg.Pool}
	add("pool", min(cfg.Pool, cfg.PoolBusy), func(rec *recorder, arm func(), _ int) func(context.Context) {
		cl := &poolClient{pool: shared, client: client{rec: rec, gate: g, dialer: c.dialer, clock: clk,
			timeout: cfg.Timeout, pause: cfg.Pause, arm: arm}}
		cl.newHTTP1(cfg, t, t.path)
		return cl.run
	})
	add("slow", cfg.Slow, http1(cfg.SlowPath, true, 0, 1))
	add("late", cfg.Late, func(rec *recorder, arm func(), i int) func(context.Context) {
		cl := &client{rec: rec, gate: g, dialer: c.dialer, clock: clk, timeout: cfg.Timeout, arm: arm}
		cl.newHTTP1(cfg, t, t.path)
		g.lateArmed.Add(1)
		return func(ctx context.Context) { cl.runLate(ctx, spread(cfg.LateAfter, i, cfg.Late)) }
	})

	proto, scheme, conns := "h2c", "http", cfg.H2C
	if t.https {
		proto, scheme, conns = "h2", "https", cfg.H2
	}
	http2 := func(path string, slow bool, concurrency int) maker {
		return func(rec *recorder, arm func(), _ int) func(context.Context) {
			if slow {
				rec.want = cfg.Slow
			}
			cl := &h2client{rec: rec, gate: g, dialer: c.dialer, timeout: cfg.Timeout, pause: cfg.Pause,
				concurrency: concurrency, slow: slow, arm: arm, body: cfg.Body,
				fields: h2Fields(cfg.Method, scheme, path, t.host, cfg.Header, cfg.Body)}
			return cl.run
		}
	}
	if conns > 0 {
		add(proto, conns, http2(t.path, false, cfg.H2Concurrency))
		if cfg.Slow > 0 {
			add(proto+"-slow", 1, http2(cfg.SlowPath, true, cfg.Slow))
		}
		add(proto+"-late", cfg.Late, func(rec *recorder, arm func(), i int) func(context.Context) {
			cl := &h2client{rec: rec, gate: g, dialer: c.dialer, timeout: cfg.Timeout, arm: arm, body: cfg.Body,
				fields: h2Fields(cfg.Method, scheme, t.path, t.host, cfg.Header, cfg.Body)}
			g.lateArmed.Add(1)
			return func(ctx context.Context) { cl.runLate(ctx, spread(cfg.LateAfter, i, cfg.Late)) }
		})
	}

	stream := func(h2 bool) maker {
		return func(rec *recorder, arm func(), _ int) func(context.Context) {
			rec.ends = &Ends{}
			s := &streamClient{holder: hold(rec, arm), path: cfg.StreamPath, timeout: cfg.Timeout}
			if h2 {
				s.fields = h2Fields(http.MethodGet, scheme, cfg.StreamPath, t.host, cfg.Header, "",
					hpack.HeaderField{Name: "accept", Value: "text/event-stream"})
				return func(ctx context.Context) { s.run(ctx, s.hold2) }
			}
			s.request = requestBytes(http.MethodGet, cfg.StreamPath, t.host, cfg.Header, "", "Accept: text/event-stream")
			return func(ctx context.Context) { s.run(ctx, s.hold1) }
		}
	}
	add("stream", cfg.Streams, stream(false))
	if conns > 0 {
		add(proto+"-stream", cfg.Streams, stream(true))
	}
	add("websocket", cfg.WebSockets, func(rec *recorder, arm func(), _ int) func(context.Context) {
		rec.ends = &Ends{}
		w := &wsClient{holder: hold(rec, arm), host: t.host, path: cfg.WSPath, header: cfg.Header, timeout: cfg.Timeout}
		return func(ctx context.Context) { w.run(ctx, w.hold) }
	})

	obstacle := func(send []byte) maker {
		return func(rec *recorder, arm func(), _ int) func(context.Context) {
			rec.obstacle = &Obstacles{}
			o := &obstacleClient{holder: hold(rec, arm), send: send}
			return func(ctx context.Context) { o.run(ctx, o.hold) }
		}
	}
	add("silent", cfg.Silent, obstacle(nil))
	add("halfheader", cfg.HalfHeader, obstacle(halfHeader(cfg.Method, t.path, t.host)))
	return recorders, clients
}

// spread spreads n late clients evenly over d, the last one at its end.
func spread(d time.Duration, i, n int) time.Duration {
	return d * time.Duration(i+1) / time.Duration(n)
}
