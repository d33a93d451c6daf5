package fxshutdown

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// How an HTTP/2 connection is told
//
// GOAWAY asks a client to open no more streams here, and promises to serve those that are
// open. Some clients take it for the end of all of them (java.net.http of JDK 17, httpx
// 0.23): there, a request that is running fails although it is answered. So GOAWAY is
// sent when no stream runs, a moment after the last response. A busy client never leaves
// such a moment on its own: what it sends is held back, unread, until its running
// requests are answered and GOAWAY is written. What it sent meanwhile is then above
// GOAWAY's last stream: refused, never processed, and safe to send elsewhere (RFC 9113,
// section 6.8). CONTRIBUTING has the measurements.

// http2State is the additional state of a connection that speaks HTTP/2. It is guarded by
// conn.mu, except for server, which is written once.
type http2State struct {
	// server is a private http.Server that serves this connection alone: HTTP/2's
	// state belongs to the server on which it was configured, so its Shutdown sends
	// GOAWAY here and nowhere else. It is nil if the user brought HTTP/2.
	server *http.Server

	goAway goAway
	awaits uint8 // writes that must end before GOAWAY counts as written
	wrote  bool  // one of them has
	sentOn bool  // the client has sent something since GOAWAY was asked for

	// finishing is set while the end of a response may still have to be written, although
	// its stream is over: from the return of the last handler until a write has ended, or
	// schedulingSlack has passed without one.
	finishing bool

	heldAt   moment       // since when what is read is held back; 0: it is not
	released bool         // it was, and is not any more
	bodies   int          // request bodies that are not fully read: while there are any, nothing is held back
	gate     sync.Cond    // signalled when what is held back may go on
	writers  atomic.Int32 // handlers in Write
	wroteAt  moment       // when the last write ended, since the connection retired
	stuckAt  moment       // since when a response has looked as if it could not go on; 0: it does not
	delivery delivery     // of the last response
}

// goAway says how far the sending of GOAWAY has come.
type goAway uint8

const (
	goAwayNone  goAway = iota
	goAwayAsked        // net/http was asked to send it
	goAwaySent         // something was written since
)

func (c *conn) speaksHTTP2(server *http.Server) {
	h := &http2State{server: server}
	h.gate.L = &c.mu
	c.mu.Lock()
	c.h2 = h
	c.mu.Unlock()
}

// sendsGoAway reports whether the connection is told by a GOAWAY of its own. A
// response that says close would make net/http send it at once.
func (c *conn) sendsGoAway() bool { return c.h2 != nil && c.h2.server != nil }

// holdLocked holds back what a busy client sends from here on, if there is a watcher that
// will release it. It reports whether that is new.
func (c *conn) holdLocked() bool {
	if !c.sendsGoAway() || c.set.watcher.Load() == nil || c.running == nil {
		return false
	}
	if h := c.h2; h.goAway != goAwayNone || h.heldAt != 0 || h.released {
		return false
	}
	c.h2.heldAt = c.set.now()
	return true
}

// releaseLocked lets what was held back go on, for good.
func (h *http2State) releaseLocked() {
	h.heldAt, h.released = 0, true
	h.gate.Broadcast()
}

// releaseAll releases whatever is held back: running requests may need it in order to be
// answered.
func (cs *connSet) releaseAll() {
	for _, c := range cs.snapshot(nil) {
		c.mu.Lock()
		if c.h2 != nil {
			c.h2.releaseLocked()
		}
		c.mu.Unlock()
	}
}

// finishesLocked reports whether the end of a response may still be being written. While
// the connection serves, no write says that it was: but then others have ended since.
func (h *http2State) finishesLocked(c *conn) bool {
	return h.finishing && (c.stage.Load() != stageIdle || c.writes.ended() == c.wroteBefore)
}

// starvedLocked reports whether a response needs what is held back in order to go on: a
// handler writes, or net/http writes the end of a response, but nothing gets out. One
// look is not enough: each response is in that state for a moment.
func (h *http2State) starvedLocked(c *conn, now moment) bool {
	writes := h.writers.Load() > 0 || c.running == nil && (c.stage.Load() == stageActive || c.writes.underWay() > 0)
	switch {
	case h.heldAt == 0 || !writes:
		h.stuckAt = 0
	case h.stuckAt <= h.wroteAt:
		h.stuckAt = now
	default:
		return now >= h.stuckAt+recheck
	}
	return false
}

// awaitRelease waits for as long as what was just read is held back. The rest of a
// running request is not held back.
func (c *conn) awaitRelease() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.h2.sentOn = c.h2.sentOn || c.h2.goAway != goAwayNone
	for c.h2.heldAt != 0 && c.h2.bodies == 0 && !c.h2.pingsSoon() {
		c.h2.gate.Wait()
	}
}

// pingsSoon reports whether net/http may take the client for dead before the hold
// ends, since the answers to its PINGs would be held back too.
func (h *http2State) pingsSoon() bool {
	if h.server == nil || h.server.HTTP2 == nil {
		return false
	}
	conf := h.server.HTTP2
	return conf.SendPingTimeout > 0 && conf.PingTimeout > 0 && conf.PingTimeout < 2*maxHold
}

// noteBodyLocked counts a request whose body is still being read.
func (h *http2State) noteBodyLocked() {
	h.bodies++
	h.gate.Broadcast()
}

// beginWriteLocked is called when a write begins on a connection that retires.
func (h *http2State) beginWriteLocked(c *conn) {
	if c.stage.Load() == stageIdle && c.set.now() >= c.quiet+schedulingSlack {
		h.finishing = false
	}
}

// endWriteLocked is called when the last write under way has ended. It reports whether
// that may make the connection due earlier.
func (h *http2State) endWriteLocked(c *conn) (changed bool) {
	h.wroteAt = c.set.now()
	if c.stage.Load() == stageIdle && h.finishing {
		h.finishing, changed = false, true
		c.countAnsweredLocked()
	}
	if h.goAway == goAwayAsked {
		h.wrote, c.exit.asked, changed = true, h.wroteAt, true
		if h.awaits--; h.awaits == 0 {
			h.goAway = goAwaySent
			h.releaseLocked()
		}
	}
	return changed
}

// askGoAwayLocked notes that GOAWAY is being asked for. If the end of a response is still
// to be written, or may be, the next write is that end, or both in one.
func (h *http2State) askGoAwayLocked(c *conn, now moment) {
	h.goAway, h.awaits, c.exit.asked = goAwayAsked, 1, now
	if c.quiet < c.exit.at && now >= c.quiet+schedulingSlack {
		h.finishing = false // it was written before writes were watched
	}
	if h.finishesLocked(c) || c.writes.underWay() > 0 {
		h.awaits = 2
	}
}

// sendGoAway asks net/http to send GOAWAY. It is called without locks, and does not
// block: Shutdown calls what HTTP/2 has registered on a goroutine, and has neither
// listeners nor connections to wait for. An HTTP/2 that the user brought is told by the
// given server.
func (h *http2State) sendGoAway() {
	if h.server != nil {
		h.server.Shutdown(context.Background())
	}
}

// noteGivenShutdown notes that the Shutdown of the given server, which is about to
// be called, sends GOAWAY on the HTTP/2 connections that the user's code serves.
func (cs *connSet) noteGivenShutdown() {
	for _, c := range cs.snapshot(nil) {
		c.mu.Lock()
		if c.h2 != nil && c.h2.server == nil {
			c.drainLocked()
			c.h2.askGoAwayLocked(c, cs.now())
		}
		c.mu.Unlock()
	}
}

// newHTTP2Server returns a private server that has HTTP/2 configured as net/http
// would configure it for the given settings. With useTLS their TLSConfig is used,
// and changed by that. Only Serve configures HTTP/2: a listener that is closed already
// lets it do that and return.
func newHTTP2Server(settings *http.Server, useTLS bool, closed net.Listener) (*http.Server, error) {
	s := new(http.Server)
	copySettings(s, settings)
	s.TLSNextProto = maps.Clone(s.TLSNextProto)
	var err error
	if useTLS {
		err = s.ServeTLS(closed, "", "")
	} else {
		err = s.Serve(closed)
	}
	if errors.Is(err, errConfigured) {
		err = nil
	}
	return s, err
}

// http2Settings returns the settings of the given server with which HTTP/2 is
// configured. The user's BaseContext is called once, for the real listener.
func http2Settings(given *http.Server) *http.Server {
	s := new(http.Server)
	copySettings(s, given)
	s.Handler, s.BaseContext = nil, nil
	s.ErrorLog = errorLogOf(given)
	s.TLSNextProto = maps.Clone(s.TLSNextProto)
	if s.TLSConfig != nil {
		s.TLSConfig = s.TLSConfig.Clone()
	}
	return s
}

var errConfigured = errors.New("configured")

type closedListener struct{}

func (closedListener) Accept() (net.Conn, error) { return nil, errConfigured }
func (closedListener) Close() error              { return nil }
func (closedListener) Addr() net.Addr            { return sentinelAddr{} }

type nextProto = func(*http.Server, *tls.Conn, http.Handler)

const (
	protoHTTP2            = "h2"
	protoUnencryptedHTTP2 = "unencrypted_http2"
)

// nextProtos wraps the TLSNextProto of the serving server, which was configured
// with the given settings.
//
// It is tempting to let HTTP/2 see the given server, which has the right
// ServerContextKey and ConnState. But once that is shut down, net/http writes
// GOAWAY in one piece with the end of a response.
func (h *hooks) nextProtos(protos map[string]nextProto, settings *http.Server) map[string]nextProto {
	if protos == nil {
		return nil
	}
	users, brought := settings.TLSNextProto[protoHTTP2]
	brought = brought && !isStub(users)
	if serve := protos[protoHTTP2]; serve != nil && !brought && protos[protoUnencryptedHTTP2] == nil {
		protos[protoUnencryptedHTTP2] = serve // Go 1.27 does without; its Protocols say whether it is asked for
	}
	private := new(http.Server)
	copySettings(private, settings)
	private.ConnState = h.onState
	private.TLSConfig = nil // configured connection by connection, it must not be shared
	wrapped := make(map[string]nextProto, len(protos))
	for name, serve := range protos {
		wrapped[name] = func(_ *http.Server, tc *tls.Conn, handler http.Handler) {
			c := h.set.connOf(tc)
			switch {
			case c == nil: // cut already
			case name != protoHTTP2 && name != protoUnencryptedHTTP2:
				// Only the user's function knows whether it waits for something.
				c.setState(http.StateHijacked)
			case brought:
				c.speaksHTTP2(nil)
			default:
				serveHTTP2(private, name, tc, handler, c.speaksHTTP2)
				return
			}
			serve(h.set.given, tc, handler)
		}
	}
	return wrapped
}
