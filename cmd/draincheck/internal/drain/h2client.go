package drain

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
)

// An h2client drives one HTTP/2 connection at a time with several requests at once.
type h2client struct {
	*member
	gate        *gate
	dialer      *dialer
	fields      []hpack.HeaderField
	body        string
	grpc        bool
	timeout     time.Duration
	pause       time.Duration
	concurrency int

	slow  bool         // the load is under way with the first request, not with the first answers
	ended atomic.Int32 // requests so far
}

// dialH2 connects and exchanges SETTINGS. Over TLS the server has to choose h2.
func dialH2(ctx context.Context, d *dialer, timeout time.Duration) (*h2conn, error) {
	c, err := d.dial(ctx, "h2")
	if err != nil {
		return nil, err
	}
	if c.tls != nil {
		if got := c.tls.ConnectionState().NegotiatedProtocol; got != "h2" {
			c.Close()
			return nil, fmt.Errorf("%w: it chose %q instead", errNoH2, got)
		}
	}
	return newH2(ctx, c, timeout)
}

// errNoH2 means that the server does not offer HTTP/2.
var errNoH2 = errors.New("the server did not choose HTTP/2 in the TLS handshake")

func (c *h2client) over(ctx context.Context) bool {
	select {
	case <-c.gate.over:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

func (c *h2client) run(ctx context.Context) {
	for !c.over(ctx) {
		h, err := dialH2(c.dialing, c.dialer, c.timeout)
		if err != nil {
			c.rec.dialFailed(err)
			c.arm()
			sleep(ctx, c.gate.over, backoff)
			continue
		}
		c.drive(ctx, h)
		h.close()
	}
}

// drive loads one connection until it takes no more streams, and waits for those that
// were opened.
func (c *h2client) drive(ctx context.Context, h *h2conn) {
	h.mu.Lock()
	n := min(uint32(c.concurrency), max(h.maxStreams, 1))
	h.mu.Unlock()
	var workers sync.WaitGroup
	var used sync.Once
	opened := false
	for range n {
		workers.Go(func() {
			for !c.over(ctx) {
				if !c.exchange(ctx, h, func() { used.Do(func() { opened = true }) }) {
					break
				}
				if !sleep(ctx, c.gate.over, c.pause) {
					break
				}
			}
		})
	}
	workers.Wait()
	if opened && !c.over(ctx) {
		c.rec.closedIdle()
	} else if !opened && !c.over(ctx) {
		c.rec.dialFailed(fmt.Errorf("closed before a request was sent: %w", errnoReset))
		sleep(ctx, c.gate.over, backoff)
	}
}

// runLate connects when the round says so, shortly before the signal, and sends its first
// request after it.
func (c *h2client) runLate(ctx context.Context, after time.Duration) {
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
	h, err := dialH2(c.dialing, c.dialer, c.timeout)
	armed()
	if err != nil {
		c.rec.dialFailed(err)
		return
	}
	defer func() { h.close() }()
	select {
	case <-c.gate.signalled:
	case <-ctx.Done():
		return
	}
	used := false
	if !sleep(ctx, nil, after) {
		return
	}
	if c.exchange(ctx, h, func() { used = true }); used {
		return
	}
	// GOAWAY came first. Like any client, connect again, and most likely be refused.
	c.rec.closedIdle()
	again, err := dialH2(c.dialing, c.dialer, c.timeout)
	if err != nil {
		c.rec.dialFailed(err)
		return
	}
	h.close()
	h = again
	c.exchange(ctx, h, func() {})
}

// exchange sends one request and waits for what becomes of it. It reports whether the
// connection can be used again.
func (c *h2client) exchange(ctx context.Context, h *h2conn, used func()) bool {
	var q *request
	st, err := h.open(c.fields, c.body, func() { q = c.rec.send() }, func() { q.unsent() })
	if err != nil {
		return false
	}
	used()
	if c.slow {
		c.arm()
	}
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-st.done:
	case <-timer.C:
		h.cancel(st, fmt.Errorf("HTTP/2 stream %d: %w", st.id, plain(os.ErrDeadlineExceeded)))
	case <-ctx.Done():
		h.cancel(st, ctx.Err())
	}
	<-st.done
	c.settle(q, h, st)
	if int(c.ended.Add(1)) >= c.concurrency {
		c.arm()
	}
	return h.usable()
}

// settle enters a stream that has ended into the accounts.
func (c *h2client) settle(q *request, h *h2conn, st *h2stream) {
	switch st.end {
	case endComplete:
		status := st.status
		if c.grpc && status == http.StatusOK {
			if st.grpc < 0 {
				u := st.unanswered(h.c)
				u.err = fmt.Errorf("HTTP/2 stream %d: a response without grpc-status", st.id)
				q.lost(u)
				return
			}
			status = grpcStatus(st.grpc)
		}
		q.answered(st.at, status, false)
	case endRefused:
		q.refused(st.unanswered(h.c))
	default:
		c.failed(q, st.unanswered(h.c))
	}
}
