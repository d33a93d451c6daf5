package drain

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// backoff is how long a client waits after a connection was refused. Without it, clients
// of a closed port would take the processor from the server that is still draining.
const backoff = 5 * time.Millisecond

// A gate lets clients and the round meet.
type gate struct {
	armed     sync.WaitGroup // each client is done with it once, when its load is under way
	obstacles sync.WaitGroup // the same for obstacles
	late      chan struct{}  // closed when late clients are to connect
	lateArmed sync.WaitGroup // late clients are done with it when they have connected
	signalled chan struct{}  // closed when the signal was sent
	over      chan struct{}  // closed when no more requests are to be sent: the command has ended

	// dialing ends with over: a connection to a process that is gone may take a second to
	// fail.
	dialing       context.Context
	cancelDialing context.CancelFunc

	ending sync.Once
}

func newGate(ctx context.Context) *gate {
	g := &gate{late: make(chan struct{}), signalled: make(chan struct{}), over: make(chan struct{})}
	g.dialing, g.cancelDialing = context.WithCancel(ctx)
	return g
}

// end says that no more requests are to be sent. It may say so more than once.
func (g *gate) end() {
	g.ending.Do(func() {
		close(g.over)
		g.cancelDialing()
	})
}

// A client drives one kind of load over one connection at a time, in one goroutine.
type client struct {
	*member
	gate    *gate
	dialer  *dialer
	clock   *clock
	method  string
	request []byte
	body    []byte // nil, or what is sent when the server says 100 Continue to request
	timeout time.Duration
	pause   time.Duration

	perConn int // requests on a connection before the client makes a new one, 0 for as many as the server allows
	batch   int // requests sent in one piece, one behind the other

	slow bool // the load is under way with the first request, not with the first answer
}

// over says whether no more requests are to be sent.
func (c *client) over(ctx context.Context) bool {
	select {
	case <-c.gate.over:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// sleep waits, or returns false at the end of the load.
func sleep(ctx context.Context, over <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-over:
		return false
	case <-ctx.Done():
		return false
	}
}

// run is the loop of all HTTP/1.1 clients except the late ones.
func (c *client) run(ctx context.Context) {
	var cn *conn
	defer func() {
		if cn != nil {
			cn.Close()
		}
	}()
	for !c.over(ctx) {
		if cn == nil {
			var err error
			if cn, err = c.dialer.dial(c.dialing, "http/1.1"); err != nil {
				c.rec.dialFailed(err)
				c.arm()
				sleep(ctx, c.gate.over, backoff)
				continue
			}
		}
		keep := c.exchange(ctx, cn)
		c.arm()
		if !keep || c.perConn > 0 && cn.uses >= c.perConn {
			cn.Close()
			cn = nil
		}
		sleep(ctx, c.gate.over, c.pause)
	}
}

// exchange sends a batch of requests (a single one if c.batch is 0) and reads the
// answers. It reports whether the connection can be used again.
func (c *client) exchange(ctx context.Context, cn *conn) (keep bool) {
	first := cn.uses == 0
	accepted := !first || cn.tls != nil
	written, read := cn.raw.written.Load(), cn.raw.read.Load()
	notSent := func(err error) {
		if first {
			c.rec.dialFailed(err)
		} else {
			c.rec.closedIdle()
		}
	}
	if cn.closedByPeer() {
		notSent(fmt.Errorf("closed before a request was sent: %w", errnoReset))
		return false
	}
	cn.SetDeadline(time.Now().Add(c.timeout))
	stop := context.AfterFunc(ctx, func() { cn.SetDeadline(time.Now()) })
	defer stop()

	n := max(c.batch, 1)
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = c.rec.send()
	}
	left, werr := cn.send(c.request)
	if werr == nil && c.slow {
		c.arm()
	}
	final := false
	if c.body != nil && werr == nil {
		if cn.readContinue(c.method) {
			_, werr = cn.send(c.body)
		} else {
			final = true // what comes is its answer, or the end
		}
	}
	if !left {
		for _, q := range requests {
			q.unsent()
		}
		notSent(werr)
		return false
	}
	cn.uses += n

	// The answer may be there even after a failed write: a server need not read a request
	// to its end to answer it.
	for i, q := range requests {
		a, err := cn.readAnswer(c.method)
		if err != nil {
			if werr != nil {
				err = fmt.Errorf("write request: %w", plain(werr))
			}
			u := unanswered{err: err, port: cn.port(), accepted: accepted, unread: cn.cutUnread(err), begun: a.begun,
				garbled: a.garbled, status: a.status,
				sent: cn.raw.written.Load() - written, received: cn.raw.read.Load() - read}
			for _, q := range requests[i:] {
				c.failed(q, u)
				u.begun, u.garbled, u.status = false, false, 0
			}
			return false
		}
		q.answered(a.at, a.status, a.unframed)
		accepted = true
		if a.closing {
			for _, q := range requests[i+1:] {
				q.behindClose()
			}
			return false
		}
	}
	return werr == nil && !final
}

// runLate connects when the round says so, shortly before the signal, and sends its first
// request after it.
func (c *client) runLate(ctx context.Context, after time.Duration) {
	c.arm()
	armed := sync.OnceFunc(func() {
		c.late.Store(true)
		c.gate.lateArmed.Done()
	})
	defer armed()
	select {
	case <-c.gate.late:
	case <-c.gate.over:
		return
	case <-ctx.Done():
		return
	}
	cn, err := c.dialer.dial(c.dialing, "http/1.1")
	armed()
	if err != nil {
		c.rec.dialFailed(err)
		return
	}
	defer func() { cn.Close() }()
	select {
	case <-c.gate.signalled:
	case <-ctx.Done():
		return
	}
	if !sleep(ctx, nil, after) {
		return
	}
	if cn.closedByPeer() {
		// Like any client, connect again, and most likely be refused.
		c.rec.closedIdle()
		cn.Close()
		again, err := c.dialer.dial(c.dialing, "http/1.1")
		if err != nil {
			c.rec.dialFailed(err)
			return
		}
		cn = again
	}
	c.exchange(ctx, cn)
}

// newHTTP1 prepares the client for requests to path.
func (c *client) newHTTP1(cfg *Config, t *target, path string, extra ...string) {
	c.method = cfg.Method
	c.request = requestBytes(cfg.Method, path, t.host, cfg.Header, cfg.Body, extra...)
	if c.batch > 1 {
		one := c.request
		for range c.batch - 1 {
			c.request = append(c.request[:len(c.request):len(c.request)], one...)
		}
	}
}
