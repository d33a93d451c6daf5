package fxshutdown

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// hooks are what net/http calls for each connection: ours, which call the user's.
type hooks struct {
	set         *connSet
	connState   func(net.Conn, http.ConnState)                  // the user's
	connContext func(context.Context, net.Conn) context.Context // the user's
}

// connOf finds the tracked connection behind the one that net/http knows.
func (cs *connSet) connOf(nc net.Conn) *conn {
	switch nc := nc.(type) {
	case *conn:
		if nc.set == cs {
			return nc
		}
	case *tlsStateConn:
		return cs.connOf(nc.conn)
	case *tls.Conn:
		if c := cs.connOf(nc.NetConn()); c != nil {
			return c
		}
		cs.mu.Lock()
		defer cs.mu.Unlock()
		return cs.list.byTLS[nc]
	case interface{ UnencryptedNetConn() net.Conn }:
		// How net/http hands an unencrypted HTTP/2 connection to TLSNextProto.
		return cs.connOf(nc.UnencryptedNetConn())
	}
	return nil
}

// onState is the ConnState hook of the serving server, of the private ones of HTTP/2, and
// of the given one, which is told about the sentinel and the user's own HTTP/2.
func (h *hooks) onState(nc net.Conn, state http.ConnState) {
	if s, ok := nc.(sentinelConn); ok {
		s.s.onState(state)
		return
	}
	c := h.set.connOf(nc)
	if c == nil {
		h.call(nc, state)
		return
	}
	if state == http.StateClosed {
		// The user's bookkeeping must be complete before ours says that all is over.
		h.callFor(c, nc, state)
		if c.setState(state) {
			h.set.remove(c)
		}
		return
	}
	c.setState(state)
	if c.retired.Load() {
		h.set.changed(c)
	}
	h.callFor(c, nc, state)
}

func (h *hooks) call(nc net.Conn, state http.ConnState) {
	if h.connState != nil {
		h.connState(nc, state)
	}
}

// callFor calls the user's hook. While the hook runs, its connection is not due, since
// net/http continues with it afterwards: HTTP/2 writes the end of its response then.
func (h *hooks) callFor(c *conn, nc net.Conn, state http.ConnState) {
	if h.connState == nil {
		return
	}
	c.noteHook(+1)
	defer c.noteHook(-1)
	h.connState(c.visible(nc), state)
}

func (c *conn) noteHook(by int8) {
	c.mu.Lock()
	c.hooks = uint8(int8(c.hooks) + by)
	if c.hooks == 0 && c.stage.Load() == stageIdle {
		c.countAnsweredLocked()
	}
	c.mu.Unlock()
	if by < 0 && c.retired.Load() {
		c.set.changed(c)
	}
}

type connKey struct{}

// connContext gives the handlers of a connection their conn, and makes
// http.ServerContextKey the server that was given to New. It costs one allocation per
// connection and none per request.
type connContext struct {
	context.Context
	conn *conn
}

func (c *connContext) Value(key any) any {
	switch key {
	case connKey{}:
		return c.conn
	case http.ServerContextKey:
		return c.conn.set.given
	}
	return c.Context.Value(key)
}

// onContext is the ConnContext hook of the serving server.
func (h *hooks) onContext(ctx context.Context, nc net.Conn) context.Context {
	c := h.set.connOf(nc)
	if c == nil { // cut already
		ctx = context.WithValue(ctx, http.ServerContextKey, h.set.given)
		if h.connContext != nil {
			ctx = h.connContext(ctx, nc)
		}
		return ctx
	}
	cc := &connContext{Context: ctx, conn: c}
	if h.connContext == nil {
		return cc
	}
	// Our context goes around the user's, so that it is found first, whatever the user's
	// hook returns.
	ctx = h.connContext(cc, c.visible(nc))
	if ctx == nil {
		return nil // net/http reports it
	}
	return &connContext{Context: ctx, conn: c}
}
