package fxshutdown

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// connSet is the set of tracked connections, a list through the connections
// themselves: it costs an idle connection two words. It is guarded by Server.mu.
type connSet struct {
	head *conn
	n    int

	// byTLS finds those that the listener returned as *tls.Conn, which net/http
	// has to get as they are: in a wrapper it would not speak HTTP/2 on them.
	byTLS map[*tls.Conn]*conn
}

func (cs *connSet) add(c *conn) {
	if c.next = cs.head; c.next != nil {
		c.next.prev = c
	}
	cs.head = c
	cs.n++
	if tc, ok := c.Conn.(*tls.Conn); ok {
		if cs.byTLS == nil {
			cs.byTLS = make(map[*tls.Conn]*conn)
		}
		cs.byTLS[tc] = c
	}
}

func (cs *connSet) remove(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		cs.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	cs.n--
	if tc, ok := c.Conn.(*tls.Conn); ok {
		delete(cs.byTLS, tc)
	}
}

// snapshot lets the caller look at the connections without the lock.
func (s *Server) snapshot() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := make([]*conn, 0, s.conns.n)
	for c := s.conns.head; c != nil; c = c.next {
		cs = append(cs, c)
	}
	return cs
}

// track takes over what the listener accepted and returns what net/http gets.
func (s *Server) track(raw net.Conn) (net.Conn, bool) {
	now := s.now()
	c := &conn{Conn: raw, srv: s, quiet: now, state: http.StateNew}
	c.phase.Store(phaseFresh)
	served := net.Conn(c)
	switch raw := raw.(type) {
	case *tls.Conn:
		c.bypassed = true
		served = raw
	case connectionStater:
		served = &statedConn{c, raw}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut {
		return nil, false
	}
	s.totals.Accepted++
	s.conns.add(c)
	return served, true
}

// remove is called once for a connection, when it and its handlers are gone.
func (s *Server) remove(c *conn) {
	s.mu.Lock()
	s.conns.remove(c)
	s.totals.Closed++
	c.mu.Lock()
	s.totals.add(c)
	if c.dropped {
		s.dropped++
	}
	c.mu.Unlock()
	d := s.drain
	last := s.conns.n == 0
	s.mu.Unlock()
	if d != nil && last {
		d.wakeUp()
	}
}

// connOf finds the tracked connection behind what net/http knows.
func (s *Server) connOf(nc net.Conn) *conn {
	switch nc := nc.(type) {
	case *conn:
		return nc
	case *statedConn:
		return nc.conn
	case *tls.Conn:
		if c := s.connOf(nc.NetConn()); c != nil {
			return c
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.conns.byTLS[nc]
	case interface{ UnencryptedNetConn() net.Conn }:
		// How net/http hands an unencrypted HTTP/2 connection to TLSNextProto.
		return s.connOf(nc.UnencryptedNetConn())
	}
	return nil
}

// connState is the ConnState hook of the serving server, and of the given one,
// to which HTTP/2 connections report.
func (s *Server) connState(nc net.Conn, state http.ConnState) {
	if pc, ok := nc.(parkedConn); ok {
		pc.p.connState(state)
		return
	}
	hook := s.hooks.connState
	c := s.connOf(nc)
	if c == nil || c.srv != s {
		if hook != nil {
			hook(nc, state)
		}
		return
	}
	if state == http.StateClosed {
		// The user's account is to be settled before ours says that all is over.
		if hook != nil {
			hook(c.visible(nc), state)
		}
		if c.setState(state) {
			s.remove(c)
		}
		return
	}
	c.setState(state)
	if s.isDraining.Load() {
		s.drainNow().lookAt(c)
	}
	if hook != nil {
		hook(c.visible(nc), state)
	}
}

// connContext is the ConnContext hook of the serving server.
func (s *Server) connContext(ctx context.Context, nc net.Conn) context.Context {
	c := s.connOf(nc)
	hook := s.hooks.connContext
	if c == nil { // cut already
		ctx = context.WithValue(ctx, http.ServerContextKey, s.given)
		if hook != nil {
			ctx = hook(ctx, nc)
		}
		return ctx
	}
	cc := &connContext{Context: ctx, conn: c}
	if hook != nil {
		// Ours goes around the user's: it is found first, and whatever the
		// user's returns.
		ctx := hook(cc, c.visible(nc))
		if ctx == nil {
			return nil // net/http complains by itself
		}
		cc = &connContext{Context: ctx, conn: c}
	}
	return cc
}
