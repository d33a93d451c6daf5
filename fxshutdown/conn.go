package fxshutdown

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a tracked connection: it stands between net/http, or crypto/tls, and
// the connection that the listener accepted.
//
// A conn serves, then it retires, then it is gone. Retiring it is the only thing that a
// stop does to it: its next response says close, the requests on it learn that they
// should end, and once its client is quiet it is dropped. See [conn.retire].
//
// The goroutine that reads decides whether a connection is idle; see
// conn_read.go.
type conn struct {
	net.Conn          // as accepted
	set      *connSet // leads to the clock, the account and the watcher

	prev, next *conn // in set; guarded by set.mu
	born       moment

	// These are read without the lock while the connection serves. stage and retired are
	// written with mu held.
	deadline readDeadline
	stage    stageValue
	retired  atomic.Bool // told to go
	reading  readsValue  // what a Read under way is for
	writes   writeCount  // Write calls
	writeBy  atomic.Bool // a write deadline has been set

	mu sync.Mutex // guards what follows, except the last group; taken after set.mu, never before it

	// The client, as the reader knows it.
	ahead aheadHistory  // whether bytes came before their turn
	part  bool          // bytes of the next request were read
	intr  interruptRead // the reader is being woken

	// quiet is the moment from which on it is quiet: that of its last byte while it
	// waited, of the start of waiting or closing, or of the return of its last HTTP/2
	// handler.
	quiet moment

	// The requests.
	account

	// HTTP/2, nil on other protocols.
	h2 *http2State

	// The end.
	exit    *retirement // nil until it retires, or a request asks for Draining
	closing closing
	dropped bool // it waited for a request, and the stop ended it
	cut     bool // closed by the stop, whatever it was doing

	life *lifetime // nil unless connections have a maximum age

	hooks uint8 // the user's hooks that are running for it

	wroteBefore uint16 // writes that had ended when the last handler returned, or HTTP/2 became idle

	// What was accepted; written once.
	bypassed bool // Conn is a *tls.Conn that the listener returned: net/http reads it past this wrapper
	lazy     bool // it is a socket, and nobody else sets its deadlines; see conn_read.go
}

// retirement is the additional state of a connection that retires. It is guarded by
// conn.mu.
type retirement struct {
	at     moment        // when it retired, or the stop took it over; 0: neither
	told   chan struct{} // closed when it does; nil until somebody asks for it
	asked  moment        // when it was asked to end: interrupted, half-closed, or closed by net/http; 0: it was not
	waited time.Duration // how long its client was waited for, in earlier reads of this stage
	client *client       // nil if its address is not known yet
	drains bool          // a stop has taken it over
	late   bool          // it was accepted during the drain
	cut    bool          // it was open when its time was over
	ended  uint32        // how many of its requests have ended; see account

	overdue moment // when its requests were cancelled for having gone on too long; 0: they were not
}

// NetConn returns the connection that the listener accepted.
func (c *conn) NetConn() net.Conn { return c.Conn }

// SyscallConn gives access to the socket, for peer credentials and options. It returns
// errors.ErrUnsupported where there is no socket.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// tlsStateConn is a conn whose connection is not a *tls.Conn, but knows its TLS state:
// net/http asks for that to fill in Request.TLS.
type tlsStateConn struct {
	*conn
	connectionStater
}

type connectionStater interface{ ConnectionState() tls.ConnectionState }

// visible returns what a user's hook would see in place of nc if there were no wrapper.
func (c *conn) visible(nc net.Conn) net.Conn {
	switch nc.(type) {
	case *conn, *tlsStateConn:
		return c.Conn
	}
	return nc
}

// underTLS returns what lies below TLS.
func (c *conn) underTLS() net.Conn {
	if c.bypassed {
		return c.Conn.(*tls.Conn).NetConn()
	}
	return c.Conn
}

func (c *conn) Write(p []byte) (int, error) {
	c.beginWrite()
	defer c.endWrite()
	return c.Conn.Write(p)
}

// ReadFrom preserves sendfile and splice: net/http and io.Copy look for it.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	c.beginWrite()
	defer c.endWrite()
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// WriteTo preserves splice for handlers that hijack the connection and copy from it.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	if c.stage.Load() == stageHijacked {
		n, err := io.Copy(w, c.Conn)
		if err == nil {
			c.takeoverOver()
		}
		return n, err
	}
	return io.Copy(w, struct{ io.Reader }{c})
}

// SetWriteDeadline passes on only what makes a difference: net/http lifts the write
// deadline after each response, whether there is one or not.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && c.lazy && !c.writeBy.Load() {
		return nil
	}
	c.writeBy.Store(true)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) beginWrite() {
	if c.writes.begin() == 1 && c.retired.Load() && c.h2 != nil {
		c.mu.Lock()
		c.h2.beginWriteLocked(c)
		c.mu.Unlock()
	}
}

func (c *conn) endWrite() {
	if c.writes.end() > 0 || !c.retired.Load() || c.h2 == nil {
		return
	}
	c.mu.Lock()
	changed := c.h2.endWriteLocked(c)
	c.mu.Unlock()
	if changed {
		c.set.changed(c)
	}
}

// retire begins the end of the connection. It may be called in every stage, and more than
// once. From here on
//
//   - its next HTTP/1 response says close, if it is not committed;
//   - Draining of its requests is closed;
//   - the watcher of the set sends GOAWAY if it speaks HTTP/2, and in a stop drops it
//     once its client is quiet; see decide.
func (c *conn) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retireLocked()
}

// retireServingLocked retires the connection while the server serves.
func (c *conn) retireServingLocked(why retireCause) {
	c.retireLocked()
	c.set.retired[why].Add(1)
}

// drain retires the connection for a stop. The times of the stop count from here, and
// what its client does on other connections matters. The connection may have retired
// before, while the server served.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drainLocked()
}

func (c *conn) retireLocked() {
	if c.retired.Load() {
		return
	}
	if c.exit == nil {
		c.exit = new(retirement)
	}
	c.exit.at = c.set.now()
	switch {
	case c.closing == closingHTTP:
		c.exit.asked = c.quiet
	case c.undecided != nil:
		c.quiet = c.exit.at // or a little earlier: see end
	}
	c.retired.Store(true)
	c.noteRestLocked()
	if c.exit.told != nil {
		close(c.exit.told)
	}
	c.holdLocked()
}

func (c *conn) drainLocked() {
	c.retireLocked()
	c.exit.at = c.set.now()
	c.exit.drains = true
	c.joinClientLocked()
}

// toldLocked returns a channel that is closed when the connection retires.
func (c *conn) toldLocked() <-chan struct{} {
	if c.exit == nil {
		c.exit = new(retirement)
	}
	if c.exit.told == nil {
		c.exit.told = make(chan struct{})
		if c.retired.Load() {
			close(c.exit.told)
		}
	}
	return c.exit.told
}

// setState follows the states that net/http reports. It returns whether the connection is
// gone. The caller calls the user's hook.
func (c *conn) setState(state http.ConnState) (gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch was := c.stage.Load(); {
	case was == stageGone:
		return false
	case was == stageHijacked && c.takeover != nil && c.takeover.foreign && state == http.StateClosed:
		c.stage.setLocked(stageClosed) // the function of a TLSNextProto has returned
		return c.goneLocked()
	case c.takeover != nil || was == stageHijacked:
		// HTTP/2 that a handler serves on a connection which it hijacked reports
		// here too.
		return false
	}
	if state != http.StateClosed {
		c.resumeLocked() // the request was faster than the stop, or was read already
	}
	c.intr = interruptRead{}
	if c.exit != nil {
		c.exit.waited = 0
	}
	switch state {
	case http.StateActive:
		switch {
		case c.h2 == nil:
			c.stage.setLocked(stageRead)
		case c.stage.Load() > stageNew: // otherwise it has read the preface, but no request yet
			c.stage.setLocked(stageActive)
		}
		c.ahead.next()
		if c.bypassed {
			c.quiet = c.set.now()
		}
	case http.StateIdle:
		c.stage.setLocked(stageIdle)
		c.quiet, c.part = c.set.now(), c.ahead.any()
		if c.h2 != nil {
			c.wroteBefore = c.writes.ended() // the next write is that of the response's end
		}
		if c.closing == closingHTTP { // the rest of the request is read, and the next one is welcome
			c.closing, c.exit.asked = closingNone, 0
		}
		c.noteClientLocked(c.quiet, 0)
		if c.h2 == nil || !c.set.hooked {
			c.countAnsweredLocked()
		} // otherwise the hook has not returned, and HTTP/2 has not flushed the response
	case http.StateHijacked:
		c.stage.setLocked(stageHijacked)
		c.hijackLocked()
		c.deadline.apply(c)
	case http.StateClosed:
		c.stage.setLocked(stageClosed)
		c.leaveClientLocked()
		c.countAnsweredLocked()
		return c.goneLocked()
	}
	return false
}

// goneLocked reports, only once, that the connection and its handlers are gone.
func (c *conn) goneLocked() bool {
	stage := c.stage.Load()
	if stage != stageClosed && !c.cut || c.running != nil || stage == stageGone {
		return false
	}
	c.stage.setLocked(stageGone)
	return true
}
