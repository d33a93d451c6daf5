package fxshutdown

import (
	"errors"
	"time"
)

// CloseWrite ends our side of the connection: net/http uses it to avoid
// resets. It returns errors.ErrUnsupported where the connection cannot.
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
	lingers := retired && c.stage.Load() == stageActive && c.h2 == nil && !c.cut
	c.mu.Unlock()
	if retired {
		c.set.changed(c)
	}
	if lingers {
		c.linger()
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

// closingLocked notes that net/http closes its side: what it had to write on
// HTTP/1 is written.
func (c *conn) closingLocked() {
	if c.stage.Load() == stageActive && c.h2 == nil && c.closing == closingNone {
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

// linger closes our side and reads on while the client still sends. One that
// sends nothing costs a lastRead.
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
	return c.takeoverEndLocked()
}

// closesBy returns when a connection that net/http closes is cut: what its client
// still sends is read on, for as long as it goes on sending and not for ever.
func closesBy(quiet, asked moment, reading bool) moment {
	at := quiet + maxServerStall
	if reading {
		at = min(at, asked+maxLinger)
	}
	return at
}
