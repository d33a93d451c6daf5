package fxshutdown

import (
	"errors"
	"net"
	"time"
)

// CloseWrite ends our side of the connection: net/http uses it to avoid resets. It
// returns errors.ErrUnsupported if the connection cannot do that.
func (c *conn) CloseWrite() error {
	c.mu.Lock()
	c.closingLocked()
	c.mu.Unlock()
	return c.closeWrite()
}

func (c *conn) closeWrite() error {
	if cw, ok := c.underTLS().(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close is called by net/http, crypto/tls, or a hijacker.
func (c *conn) Close() error {
	c.mu.Lock()
	c.closingLocked()
	if c.h2 != nil {
		c.h2.releaseLocked()
	}
	retired := c.retired.Load()
	delivers := retired && c.h2 != nil && !c.cut
	lingers := retired && c.stage.Load().active() && c.h2 == nil && !c.cut && c.sendsOnLocked()
	c.mu.Unlock()
	if lingers || retired && !isSocket(c.Conn) { // the close may take long
		c.set.changed(c)
	}
	switch {
	case lingers:
		c.linger()
	case delivers:
		c.deliver()
	}
	err := c.Conn.Close()
	c.mu.Lock()
	if c.stage.Load() == stageHijacked {
		c.stage.setLocked(stageClosed)
	}
	gone := c.goneLocked()
	c.mu.Unlock()
	if gone {
		c.set.remove(c)
	}
	return err
}

// takeoverOver notes that a hijacked connection has ended, although its owner did not
// close it through this wrapper: its peer has closed it, or the close bypassed the
// wrapper.
func (c *conn) takeoverOver() {
	c.mu.Lock()
	gone := false
	if c.stage.Load() == stageHijacked && !c.takeover.isForeign() {
		c.stage.setLocked(stageClosed)
		gone = c.goneLocked()
	}
	c.mu.Unlock()
	if gone {
		c.set.remove(c)
	}
}

// mustAsk reports whether only the socket of a hijacked connection can tell that it has
// ended: a user's hook may close the connection as the hook sees it, and under TLS the
// owner reads the peer's end before this wrapper would.
func (c *conn) mustAsk() bool { return c.set.hooked || c.set.useTLS }

// hasEndedUnseen reports whether a hijacked connection has ended unnoticed by this
// wrapper.
func (c *conn) hasEndedUnseen() bool {
	return c.stage.Load() == stageHijacked && c.mustAsk() && c.hasEnded()
}

// hasEnded asks the socket whether it is closed and, under TLS, whether the peer has
// closed its side and everything that the peer sent has been read.
func (c *conn) hasEnded() bool {
	rc, err := c.SyscallConn()
	if err != nil {
		return false
	}
	peerEnded := false
	err = rc.Control(func(fd uintptr) { peerEnded = c.set.useTLS && atEnd(fd) })
	return peerEnded || errors.Is(err, net.ErrClosed)
}

// closingLocked notes that net/http closes its side: what it had to write on
// HTTP/1 is written.
func (c *conn) closingLocked() {
	if c.stage.Load().active() && c.h2 == nil && c.closing == closingNone {
		now := c.set.now()
		c.closing, c.quiet = closingHTTP, now
		if c.undecided != nil {
			c.noteClientLocked(now, 0) // its client reads the response now
		}
		if c.exit != nil {
			c.exit.asked = now
		}
		c.countAnsweredLocked()
	}
}

// sendsOnLocked reports, as far as can be known, whether the client sends more after the
// request that was answered: it has done so already, or there is something to read.
func (c *conn) sendsOnLocked() bool {
	return c.ahead.any() || c.part || unread(c.underTLS())
}

// linger closes our side and reads on while the client still sends. If the client no
// longer sends anything, that takes one lastRead.
func (c *conn) linger() {
	if c.closeWrite() != nil {
		return
	}
	var buf [512]byte
	end := time.Now().Add(maxLinger)
	for wait := lastRead; time.Now().Before(end); wait = time.Until(end) {
		if c.Conn.SetReadDeadline(time.Now().Add(wait)) != nil {
			return
		}
		if _, err := c.Conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// halfCloseLocked notes that the stop closes our side. For a hijacked connection
// this is the end that is reported.
func (c *conn) halfCloseLocked(now moment) *Request {
	c.closing, c.exit.asked = closingStop, now
	if c.h2 != nil {
		c.h2.releaseLocked()
	}
	if c.stage.Load() != stageHijacked {
		c.dropped = true
		return nil
	}
	c.exit.cut = true
	return c.takeoverEndLocked()
}

// closesBy returns when a connection that net/http closes is cut. What its client still
// sends is read for as long as the client goes on sending, but not forever.
func closesBy(quiet, asked moment, reading bool) moment {
	at := quiet + maxServerStall
	if reading {
		at = min(at, asked+maxLinger)
	}
	return at
}

// cutResult is what a cut found.
type cutResult struct {
	raw      net.Conn // to be closed by the caller, since that may block; nil: nothing
	aborted  []Request
	takeover *Request
	unbegun  bool // a request was read, and had not reached its handler
}

// cutLocked cuts the connection, whatever it is doing. It bypasses crypto/tls, whose
// close_notify may take 5 s per connection. It returns what the cut cost.
func (c *conn) cutLocked() (res cutResult) {
	stage := c.stage.Load()
	if c.cut || stage == stageGone {
		return res
	}
	c.cut = true
	if c.exit != nil {
		c.exit.cut = c.exit.cut || stage < stageClosed
	}
	if c.h2 != nil {
		c.h2.releaseLocked()
	}
	if stage != stageClosed || c.takeover != nil { // otherwise only handlers are left
		res.raw = c.underTLS()
	}
	if c.takeover != nil {
		res.takeover = c.takeoverEndLocked()
		if !c.takeover.foreign {
			return res
		}
	}
	res.aborted = c.abortLocked()
	if stage >= stageHijacked || len(res.aborted) > 0 || c.closing == closingHTTP {
		return res
	}
	res.unbegun = stage == stageRead && !c.dropped
	c.dropped = c.dropped || stage.waits()
	return res
}
