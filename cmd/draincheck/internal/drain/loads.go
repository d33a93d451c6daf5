package drain

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

// A load is a kind of load: n clients, each made by its own call of make. To add one, add
// a row to planner.loads, a number to Config with its row in Config.Clients, and a row to
// the README.
type load struct {
	name     string
	n        int
	obstacle bool // it asks for nothing, and is left out if it keeps a small server from its work
	make     maker
}

// A maker makes the i-th client of a kind: a function that runs until the load is over.
type maker func(m *member, i int) func(context.Context)

// A member is one client of a load.
type member struct {
	rec      *recorder
	obstacle bool
	loop     func(context.Context)
	arm      func() // says, once or more often, that its load is under way
	armed    atomic.Bool
	givenUp  atomic.Bool // draincheck has withdrawn it
	cancel   context.CancelFunc
	dialing  context.Context // ends with the member, and when nothing more is to be sent
	late     atomic.Bool     // it has connected, late
}

// giveUp ends a member whose load keeps the server from its work, or that other clients
// keep from being served.
func (m *member) giveUp() {
	m.givenUp.Store(true)
	m.cancel()
	m.arm()
}

// failed accounts for a request without an answer.
func (m *member) failed(q *request, u unanswered) {
	if m.givenUp.Load() {
		q.withdrawn()
		return
	}
	q.lost(u)
}

// A planner makes the clients of a round.
type planner struct {
	check     *check
	gate      *gate
	clock     *clock
	chronicle *chronicle
}

// loads are all kinds of load there are.
func (p *planner) loads() []load {
	cfg, t := &p.check.cfg, p.check.target
	h2, h2conns := "h2c", cfg.H2C
	if t.https {
		h2, h2conns = "h2", cfg.H2
	}
	// Some kinds also go over HTTP/2, if that is in use.
	ifH2 := func(n int) int {
		if h2conns == 0 {
			return 0
		}
		return n
	}
	http1 := func(n int) int {
		if p.check.onlyHTTP2 {
			return 0
		}
		return n
	}
	return []load{
		{name: "keepalive", n: http1(cfg.KeepAlive), make: p.http1(t.path, 0, 1)},
		{name: "newconn", n: http1(cfg.NewConn), make: p.http1(t.path, 1, 1, "Connection: close")},
		{name: "pipelined", n: http1(cfg.Pipelined), make: p.http1(t.path, 0, 2)},
		{name: "continue", n: http1(cfg.Continue), make: p.continued},
		{name: "paced", n: http1(cfg.Paced), make: p.paced},
		{name: "pool", n: http1(min(cfg.Pool, cfg.PoolBusy)), make: p.pool(&pool{size: cfg.Pool})},
		{name: "slow", n: http1(cfg.Slow), make: p.slowly(cfg.Slow, p.http1(cfg.SlowPath, 0, 1))},
		{name: "late", n: http1(cfg.Late), make: p.late1},
		{name: h2, n: h2conns, make: p.http2(t.path, cfg.H2Concurrency)},
		{name: h2 + "-slow", n: ifH2(min(cfg.Slow, 1)), make: p.slowly(cfg.Slow, p.http2(cfg.SlowPath, cfg.Slow))},
		{name: h2 + "-late", n: ifH2(cfg.Late), make: p.late2},
		{name: "stream", n: http1(cfg.Streams), make: p.stream(false)},
		{name: h2 + "-stream", n: ifH2(cfg.Streams), make: p.stream(true)},
		{name: "websocket", n: http1(cfg.WebSockets), make: p.webSocket},
		{name: "silent", n: cfg.Silent, obstacle: true, make: p.obstacle(nil)},
		{name: "halfheader", n: http1(cfg.HalfHeader), obstacle: true, make: p.obstacle(halfHeader(cfg.Method, t.path, t.host))},
	}
}

// plan makes the recorders of a round and the clients that fill them.
func (p *planner) plan(ctx context.Context) (recorders []*recorder, members []*member) {
	cfg := &p.check.cfg
	expect, _ := parseStatuses(cfg.Expect)
	for _, l := range p.loads() {
		if l.n == 0 {
			continue
		}
		rec := &recorder{name: l.name, clients: l.n, clock: p.clock, expect: expect, slowLimit: cfg.SlowLimit, chronicle: p.chronicle}
		recorders = append(recorders, rec)
		armed := &p.gate.armed
		if l.obstacle {
			armed = &p.gate.obstacles
		}
		for i := range l.n {
			m := &member{rec: rec, obstacle: l.obstacle}
			mctx, cancel := context.WithCancel(ctx)
			m.cancel = cancel
			dialing, stopDialing := context.WithCancel(mctx)
			context.AfterFunc(p.gate.dialing, stopDialing)
			m.dialing = dialing
			armed.Add(1)
			m.arm = sync.OnceFunc(func() {
				m.armed.Store(true)
				armed.Done()
			})
			client := l.make(m, i)
			m.loop = func(context.Context) {
				defer cancel()
				defer m.arm()
				sleep(mctx, p.gate.over, cfg.Spread*time.Duration(i)/time.Duration(l.n))
				client(mctx)
			}
			members = append(members, m)
		}
	}
	return recorders, members
}

func (p *planner) client(m *member) *client {
	cfg := &p.check.cfg
	return &client{member: m, gate: p.gate, dialer: p.check.dialer, clock: p.clock, timeout: cfg.Timeout, pause: cfg.Pause}
}

// http1 makes clients of HTTP/1.1. perConn and batch are those of [client].
func (p *planner) http1(path string, perConn, batch int, extra ...string) maker {
	cfg := &p.check.cfg
	return func(m *member, _ int) func(context.Context) {
		cl := p.client(m)
		cl.perConn, cl.batch, cl.slow = perConn, batch, m.rec.want > 0
		cl.newHTTP1(cfg, p.check.target, path, extra...)
		return cl.run
	}
}

// continued makes clients that send a body only when the server asks for it.
func (p *planner) continued(m *member, i int) func(context.Context) {
	cfg := &p.check.cfg
	cl := p.client(m)
	cl.newHTTP1(cfg, p.check.target, p.check.target.path, "Expect: 100-continue")
	head := len(cl.request) - len(cfg.Body)
	cl.request, cl.body = cl.request[:head], cl.request[head:]
	return cl.run
}

// paced makes clients whose pauses are spread evenly up to the longest.
func (p *planner) paced(m *member, i int) func(context.Context) {
	cfg := &p.check.cfg
	cl := p.client(m)
	cl.pause = spread(cfg.PacedOver, i, cfg.Paced)
	cl.newHTTP1(cfg, p.check.target, p.check.target.path)
	return cl.run
}

// pool makes the clients that share a pool of connections.
func (p *planner) pool(shared *pool) maker {
	cfg := &p.check.cfg
	return func(m *member, _ int) func(context.Context) {
		cl := &poolClient{pool: shared, client: *p.client(m)}
		cl.newHTTP1(cfg, p.check.target, p.check.target.path)
		return cl.run
	}
}

// slowly has n requests under way at the signal.
func (p *planner) slowly(n int, make maker) maker {
	return func(m *member, i int) func(context.Context) {
		m.rec.want = n
		m.rec.slowLimit = 0
		return make(m, i)
	}
}

func (p *planner) late1(m *member, i int) func(context.Context) {
	cfg := &p.check.cfg
	cl := p.client(m)
	cl.newHTTP1(cfg, p.check.target, p.check.target.path)
	p.gate.lateArmed.Add(1)
	return func(ctx context.Context) { cl.runLate(ctx, spread(cfg.LateAfter, i, cfg.Late)) }
}

func (p *planner) h2client(m *member, path string) *h2client {
	cfg, t := &p.check.cfg, p.check.target
	return &h2client{member: m, gate: p.gate, dialer: p.check.dialer, timeout: cfg.Timeout, pause: cfg.Pause,
		grpc: cfg.GRPC, body: cfg.Body, fields: h2Fields(cfg, t, cfg.Method, path, cfg.Body)}
}

// http2 makes clients of HTTP/2, each with this many requests at a time.
func (p *planner) http2(path string, concurrency int) maker {
	return func(m *member, _ int) func(context.Context) {
		cl := p.h2client(m, path)
		cl.concurrency, cl.slow = concurrency, m.rec.want > 0
		return cl.run
	}
}

func (p *planner) late2(m *member, i int) func(context.Context) {
	cfg := &p.check.cfg
	cl := p.h2client(m, p.check.target.path)
	p.gate.lateArmed.Add(1)
	return func(ctx context.Context) { cl.runLate(ctx, spread(cfg.LateAfter, i, cfg.Late)) }
}

func (p *planner) holder(m *member) holder {
	m.rec.expect, m.rec.slowLimit = nil, 0
	return holder{member: m, gate: p.gate, dialer: p.check.dialer, clock: p.clock}
}

func (p *planner) stream(h2 bool) maker {
	cfg, t := &p.check.cfg, p.check.target
	return func(m *member, _ int) func(context.Context) {
		m.rec.ends = &Ends{}
		s := &streamClient{holder: p.holder(m), path: cfg.StreamPath, timeout: cfg.Timeout}
		if h2 {
			s.fields = h2Fields(cfg, t, http.MethodGet, cfg.StreamPath, "", hpack.HeaderField{Name: "accept", Value: "text/event-stream"})
			return func(ctx context.Context) { s.run(ctx, s.hold2) }
		}
		s.request = requestBytes(http.MethodGet, cfg.StreamPath, t.host, cfg.Header, "", "Accept: text/event-stream")
		return func(ctx context.Context) { s.run(ctx, s.hold1) }
	}
}

func (p *planner) webSocket(m *member, _ int) func(context.Context) {
	cfg := &p.check.cfg
	m.rec.ends = &Ends{}
	w := &wsClient{holder: p.holder(m), host: p.check.target.host, path: cfg.WSPath, header: cfg.Header, timeout: cfg.Timeout}
	return func(ctx context.Context) { w.run(ctx, w.hold) }
}

func (p *planner) obstacle(send []byte) maker {
	return func(m *member, _ int) func(context.Context) {
		m.rec.obstacle = &Obstacles{}
		o := &obstacleClient{holder: p.holder(m), send: send}
		return func(ctx context.Context) { o.run(ctx, o.hold) }
	}
}

// spread spreads n late clients evenly over d, the last one at its end.
func spread(d time.Duration, i, n int) time.Duration {
	return d * time.Duration(i+1) / time.Duration(n)
}
