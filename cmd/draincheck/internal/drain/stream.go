package drain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"golang.org/x/net/http2/hpack"
)

const (
	// reopen is how long a client waits before it replaces a stream or an obstacle that
	// ended before the signal.
	reopen = 10 * time.Millisecond

	// overdue is how long a connection may stay open after the command has ended. The
	// kernel closes a dead process's connections at once, so one that is still open is
	// held by somebody else.
	overdue = time.Second
)

// How a stream or WebSocket ended.
type ending int

const (
	politely ending = iota
	byEOF
	byReset
	stillOpen
)

// opened accounts for a stream or WebSocket that was accepted.
func (r *recorder) opened() {
	r.mu.Lock()
	r.ends.Opened++
	r.mu.Unlock()
}

// endedAs accounts for its end.
func (r *recorder) endedAs(end ending, unframed bool) {
	now := time.Now()
	after := r.clock.signalled(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.ends
	if !after {
		if end == politely {
			e.PoliteBefore++
		} else {
			e.CutBefore++
		}
		return
	}
	e.LastEnd = max(e.LastEnd, millis(now.Sub(*r.clock.signal.Load())))
	if unframed {
		e.Unframed++
	}
	switch end {
	case politely:
		e.Polite++
	case byEOF:
		e.EOF++
	case byReset:
		e.Reset++
	case stillOpen:
		e.Open++
	}
}

// endingOf tells how a connection ended from the error of the read that noticed.
func endingOf(err error) ending {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.Canceled):
		return stillOpen
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return byEOF
	}
	return byReset
}

// wakeWhenOverdue makes reads from c fail once the connection has outlived the command.
// The caller calls stop.
func wakeWhenOverdue(ctx context.Context, over <-chan struct{}, c *conn) (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-over:
		case <-ctx.Done():
		case <-done:
			return
		}
		if ctx.Err() == nil {
			sleep(ctx, done, overdue)
		}
		c.SetDeadline(time.Now())
	}()
	return func() {
		close(done)
		<-ended
	}
}

// A holder keeps one stream, WebSocket or obstacle open until the command closes it. One
// that ends before the signal is replaced, so that it is there when the signal comes; one
// that ends after it is not.
type holder struct {
	*member
	gate   *gate
	dialer *dialer
	clock  *clock
}

// run calls hold, which opens one and returns when it has ended, for as long as there is
// reason to.
func (h *holder) run(ctx context.Context, hold func(context.Context)) {
	for {
		hold(ctx)
		h.arm()
		select {
		case <-h.gate.over:
			return
		case <-h.gate.signalled:
			return
		default:
		}
		if !sleep(ctx, h.gate.signalled, reopen) {
			return
		}
	}
}

// A streamClient holds event streams.
type streamClient struct {
	holder
	request []byte              // HTTP/1.1
	fields  []hpack.HeaderField // HTTP/2
	path    string
	timeout time.Duration
}

// checkStatus reports a stream or WebSocket that was answered with something else, which
// before the signal means that the path is wrong.
func (h *holder) checkStatus(what, path string, got, want int) bool {
	if got == want {
		return true
	}
	if !h.clock.signalled(time.Now()) {
		h.rec.broken(fmt.Errorf("%s %s: answered with status %d, want %d", what, path, got, want))
	}
	return false
}

// hold1 holds a stream over HTTP/1.1.
func (s *streamClient) hold1(ctx context.Context) {
	c, err := s.dialer.dial(s.gate.dialing, "http/1.1")
	if err != nil {
		s.rec.dialFailed(err)
		return
	}
	defer c.Close()
	stop := wakeWhenOverdue(ctx, s.gate.over, c)
	defer stop()

	resp, q, ok := c.ask(s.member, s.request, http.MethodGet, s.timeout)
	if !ok {
		return
	}
	q.answered(time.Now(), resp.StatusCode, false)
	if !s.checkStatus("stream", s.path, resp.StatusCode, http.StatusOK) {
		return
	}
	s.rec.opened()
	s.arm()
	_, err = io.Copy(io.Discard, resp.Body)
	if err != nil {
		s.rec.endedAs(endingOf(err), false)
		return
	}
	s.rec.endedAs(politely, unframed(resp))
}

// ask sends a request whose response goes on for long and reads that response up to its
// body. If there is none, it accounts for the request and returns false.
func (c *conn) ask(m *member, request []byte, method string, timeout time.Duration) (*http.Response, *request, bool) {
	if c.closedByPeer() {
		m.rec.dialFailed(fmt.Errorf("closed before a request was sent: %w", errnoReset))
		return nil, nil, false
	}
	// A timer, since the deadlines belong to wakeWhenOverdue.
	timer := time.AfterFunc(timeout, func() { c.SetDeadline(time.Now()) })
	defer timer.Stop()
	q := m.rec.send()
	left, err := c.send(request)
	if !left {
		q.unsent()
		m.rec.dialFailed(err)
		return nil, nil, false
	}
	resp, a, err := c.readHead(method)
	if err != nil {
		m.failed(q, unanswered{err: err, port: c.port(), accepted: c.tls != nil, unread: c.cutUnread(err), begun: a.begun,
			garbled: a.garbled, status: a.status, sent: c.raw.written.Load(), received: c.raw.read.Load()})
		return nil, nil, false
	}
	return resp, q, true
}

// hold2 holds a stream over HTTP/2, on a connection of its own.
func (s *streamClient) hold2(ctx context.Context) {
	h, err := dialH2(s.gate.dialing, s.dialer, s.timeout)
	if err != nil {
		s.rec.dialFailed(err)
		return
	}
	defer h.close()
	stop := wakeWhenOverdue(ctx, s.gate.over, h.c)
	defer stop()

	var q *request
	st, err := h.open(s.fields, "", func() { q = s.rec.send() }, func() { q.unsent() })
	if err != nil {
		s.rec.dialFailed(fmt.Errorf("closed before a request was sent: %w", errnoReset))
		return
	}
	timer := time.AfterFunc(s.timeout, func() {
		select {
		case <-st.head:
		default:
			h.cancel(st, fmt.Errorf("HTTP/2 stream %d: %w", st.id, plain(os.ErrDeadlineExceeded)))
		}
	})
	defer timer.Stop()
	select {
	case <-st.head:
	case <-st.done:
	}
	select {
	case <-st.head:
	default:
		if st.end == endRefused {
			q.refused(st.unanswered(h.c))
		} else {
			s.failed(q, st.unanswered(h.c))
		}
		return
	}
	// The status was written before head was closed.
	q.answered(time.Now(), st.status, false)
	if !s.checkStatus("HTTP/2 stream", s.path, st.status, http.StatusOK) {
		return
	}
	s.rec.opened()
	s.arm()
	<-st.done
	switch {
	case st.end == endComplete:
		s.rec.endedAs(politely, false)
	case errors.Is(st.err, os.ErrDeadlineExceeded):
		s.rec.endedAs(stillOpen, false)
	case st.end == endEOF:
		s.rec.endedAs(byEOF, false)
	default:
		s.rec.endedAs(byReset, false)
	}
}
