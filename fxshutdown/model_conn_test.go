package fxshutdown_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing/synctest"
	"time"
)

func (s *sim) dial() {
	if len(s.conns) == 4 {
		return
	}
	client, err := s.ln.dial()
	open := s.drainAt.IsZero() || time.Now().Before(s.listenerUntil())
	if (err == nil) != open {
		s.t.Errorf("dial: %v, want the listener open: %v", err, open)
	}
	if err != nil {
		return
	}
	now := time.Now()
	c := &simConn{client: client, state: http.StateNew, waitsSince: now, quiet: now}
	s.conns = append(s.conns, c)
	s.lastDial = now
	s.sign(now)
	go c.read()
}

// read is the client: it reads responses until there are no more.
func (c *simConn) read() {
	br := bufio.NewReader(c.client)
	for {
		resp, err := http.ReadResponse(br, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		c.mu.Lock()
		if err != nil {
			c.endedAt = time.Now()
			c.mu.Unlock()
			return
		}
		c.responses++
		c.mu.Unlock()
	}
}

// ended returns when the client saw the end of the connection.
func (c *simConn) ended() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endedAt
}

func (s *sim) send(c *simConn, ev, arg int) {
	if c.gone || c.state == http.StateClosed || len(c.kinds) == 3 {
		return
	}
	id := 0
	for s.conns[id] != c {
		id++
	}
	kind := "scd"[arg/4%3]
	text := ""
	switch {
	case ev == evPart && !c.part:
		text = fmt.Sprintf("GET /%d/s HTTP/1.1\r\nHost: localhost\r\n", id)
		c.part = true
	case ev == evPart:
		text = "X: y\r\n"
	case c.part: // each of the two other kinds completes it
		text, kind = "\r\n", 's'
	case ev == evRest:
		return
	default:
		text = fmt.Sprintf("GET /%d/%c HTTP/1.1\r\nHost: localhost\r\n\r\n", id, kind)
	}
	if _, err := io.WriteString(c.client, text); err != nil {
		s.t.Errorf("send on a connection that is %v: %v", c.state, err)
	}
	if c.state == http.StateHijacked {
		return
	}
	if strings.HasSuffix(text, "\r\n\r\n") || text == "\r\n" {
		c.kinds += string(kind)
		c.part = false
	}
	if c.waits() {
		c.quiet = time.Now()
		s.sign(c.quiet)
	} else {
		c.ahead, c.pipelined = true, true
	}
	s.settle(c)
}

func (c *simConn) waits() bool { return c.state == http.StateNew || c.state == http.StateIdle }

// settle begins the requests that a connection has received, and ends those that end on
// their own.
//
// While a handler runs, net/http reads one byte ahead, to notice that the client closes.
// It has that byte until it must read again. If a request is in its buffer already, it
// reads nothing, and so does not notice a close.
func (s *sim) settle(c *simConn) {
	for {
		switch {
		case c.waits() && c.kinds != "":
			c.call = &call{conn: c, kind: c.kinds[0], running: true, cancelled: !s.cancelledAt.IsZero()}
			c.kinds = c.kinds[1:]
			if c.buffered > 0 {
				c.buffered--
			} else { // It reads all that there is.
				c.buffered, c.ahead = len(c.kinds), false
			}
			c.call.asked = c.call.kind == 'd'
			c.state = http.StateActive
			s.begun++
		case c.state == http.StateActive && (c.call.kind == 'd' && s.isDraining() || c.call.kind == 'c' && c.call.cancelled):
			s.returned(c, true)
		default:
			return
		}
	}
}

// sign notes a sign of the client.
func (s *sim) sign(at time.Time) {
	if s.isDraining() {
		s.seen = later(s.seen, at)
	}
}

// clientQuiet returns since when the client was quiet at the given time.
func (s *sim) clientQuiet(at time.Time) time.Time {
	for _, c := range s.conns {
		if c.state == http.StateActive && c.call.running {
			return at
		}
	}
	return s.seen
}

func (s *sim) isDraining() bool { return !s.drainAt.IsZero() && !time.Now().Before(s.drainAt) }

// returned ends the request of an HTTP connection.
func (s *sim) returned(c *simConn, returned bool) {
	x := c.call
	x.running = false
	c.call = nil
	s.sign(time.Now())
	lost := x.cancelled && !(x.flushed && x.asked) && (!returned || x.broken)
	switch {
	case lost:
		s.aborted++
		s.abortedSince++
	case returned:
		s.answered++
		if !c.gone {
			c.replies++
		}
	default:
		s.failed++
		s.failedSince++
	}
	if x.cancelled && !lost {
		s.cancelledCalls++
	}
	if !returned || c.gone || s.isDraining() && !x.committed {
		s.close(c)
		return
	}
	c.state, c.waitsSince, c.quiet = http.StateIdle, time.Now(), time.Now()
	if c.kinds == "" {
		c.ahead = false // It waits for a request, and so it reads.
	}
}

func (s *sim) close(c *simConn) {
	c.state = http.StateClosed
	s.lastGone = time.Now()
}

func (s *sim) command(c *simConn, ev int) {
	x, seen := c.call, s.lastCall(c)
	if seen == nil {
		s.t.Fatal("a handler that runs in the model does not run")
	}
	if ev == evHijack && c.state != http.StateActive {
		return
	}
	seen.commands <- ev
	synctest.Wait()
	switch ev {
	case evFlush:
		if c.state == http.StateActive {
			x.flushed, x.broken = true, x.broken || c.gone
			x.committed = x.committed || !s.isDraining()
			if c.gone && x.kind == 'c' {
				s.returned(c, true) // net/http cancels the context when a write fails
			}
		}
	case evAskDraining:
		x.asked = true
	case evHijack:
		c.state = http.StateHijacked
		s.hijacks++
		s.sign(time.Now())
		if at := s.hijackAt(); !at.IsZero() && !time.Now().Before(at) && s.cutBy.IsZero() {
			s.tellHijacked(c)
		}
	default:
		if c.state != http.StateActive { // hijacked, or cut
			x.running = false
			if c.state == http.StateClosed {
				s.lastGone = time.Now()
			}
			return
		}
		s.returned(c, ev == evReturn)
		s.settle(c)
	}
}

// lastCall returns what runs on c.
func (s *sim) lastCall(c *simConn) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls[c]
	if len(calls) == 0 {
		return nil
	}
	return calls[len(calls)-1]
}

func (s *sim) closeHijacked(c *simConn) {
	s.lastCall(c).hijacked.Close()
	c.call.closed = true
	s.close(c)
}

func (s *sim) clientCloses(c *simConn) {
	c.client.Close()
	c.gone = true
	switch {
	case c.waits():
		s.close(c)
	case c.state == http.StateActive && c.call.kind == 'c' && !c.ahead:
		s.returned(c, true) // net/http cancels the context
	}
}
