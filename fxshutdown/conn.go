package fxshutdown

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// lastLook is how long before it is dropped a quiet connection is read
	// from once more. The reader that a deadline has woken did not look into
	// the kernel's buffer again; this does.
	lastLook = time.Millisecond

	// looks is into how many parts it is divided: a read that was preempted until
	// its deadline had passed does not look at all.
	looks = 2

	// cutAfter is how long a connection that was asked to end may take to do
	// so before it is cut.
	cutAfter = 100 * time.Millisecond

	// lingerMost bounds how long a connection that was told to close is read on,
	// so that what its client had already sent behind the last request does not
	// make the kernel answer with a reset, which destroys the response on its
	// way (RFC 9112, section 9.6). net/http waits as long (rstAvoidanceDelay).
	lingerMost = 500 * time.Millisecond

	// goAwayLead is how long after GOAWAY was asked for an HTTP/2 connection is
	// closed from our side, and goAwayLag how long after something was written
	// since: that was GOAWAY.
	goAwayLead = 50 * time.Millisecond
	goAwayLag  = 5 * time.Millisecond
)

// errDropped is what net/http reads from a connection that is dropped. As an
// *net.OpError of a read it is one of those that net/http does not answer.
var errDropped = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection dropped by the stop")}

// conn is a tracked connection: it stands between net/http, or crypto/tls, and
// the connection that the listener accepted.
//
// It never decides from outside that a connection is idle: bytes that were
// read but not counted yet would be thrown away. Instead poke wakes the
// goroutine that reads, by a deadline in the past, and that goroutine, having
// got nothing, drops the connection or reads on. This is why conn owns the
// read deadline.
type conn struct {
	net.Conn // as accepted
	srv      *Server

	prev, next *conn // in srv.conns; guarded by srv.mu

	// These are looked at without the lock while the server serves.
	phase    atomic.Uint32 // phaseFresh, phaseAhead, or 0
	reading  atomic.Bool   // a Read is under way
	poked    atomic.Bool   // the read deadline is in the past because of us; set with mu held
	writes   atomic.Int32  // Write calls under way
	deadline atomic.Int64  // the moment for reads, as net/http or a hijacker asked; 0: none

	mu sync.Mutex // guards everything below; taken after srv.mu, never before it

	// All moments count from srv.epoch.
	quiet  moment // when the last byte came while waiting, or waiting or ending began; when the last HTTP/2 handler returned
	waited moment // for the client, since the drain began, in earlier reads of this state
	asked  moment // when it was asked to end, by a poke, a half-close or net/http; 0: it was not

	reqs     *exchange // handlers that run, newest first
	flushing *exchange // the last one that returned, until it is known that its response is written
	hijacker *exchange // the one that hijacked the connection
	answered uint64
	failed   uint32
	aborted  uint32
	nreqs    int32

	state      http.ConnState
	inHand     bool  // bytes of the next request were read
	hasRead    bool  // Read was called
	early      bool  // a byte was read while a request was running
	wasEarly   bool  // that request had come early itself, maybe with more behind it
	looked     uint8 // last looks that were begun
	final      bool  // the poke is the last: its time is over
	h2         bool  // speaks HTTP/2
	goneAway   bool  // GOAWAY was asked for
	wrote      bool  // something was written since
	tail       bool  // an HTTP/2 response may still be being written, though its stream is over
	halfClosed bool  // our side was closed, to end it politely
	ending     bool  // net/http closes it, or its side
	reported   bool  // its end as a hijacked connection is in the report
	drainAsked bool  // one of the handlers called Draining
	dropped    bool  // closed while waiting, by us
	cut        bool  // closed by us whatever it did
	closed     bool  // gone for net/http, or closed by its hijacker
	removed    bool  // no longer in srv.conns
	bypassed   bool  // Conn is a *tls.Conn that the listener returned; net/http reads it past this wrapper
}

// What is known of a connection without its lock.
const (
	phaseFresh = 1 + iota // it is New: its reads and deadlines tell how far it is
	phaseAhead            // net/http has lifted the read deadline, as it does before it reads ahead
)

type moment = time.Duration

type connKey struct{}

// connContext gives the handlers of a connection their conn and makes
// http.ServerContextKey the server that was given to New, at the price of one
// allocation a connection and none a request.
type connContext struct {
	context.Context
	conn *conn
}

func (c *connContext) Value(key any) any {
	switch key {
	case connKey{}:
		return c.conn
	case http.ServerContextKey:
		return c.conn.srv.given
	}
	return c.Context.Value(key)
}

// NetConn returns the connection that the listener accepted.
func (c *conn) NetConn() net.Conn { return c.Conn }

// SyscallConn is the way to the socket, for peer credentials and options. It
// returns errors.ErrUnsupported where there is no socket.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// statedConn is a conn whose connection is not a *tls.Conn and yet can tell its
// TLS state: net/http asks for that to fill in Request.TLS.
type statedConn struct {
	*conn
	connectionStater
}

type connectionStater interface{ ConnectionState() tls.ConnectionState }

// visible returns what a user's hook would see without us in place of nc.
func (c *conn) visible(nc net.Conn) net.Conn {
	switch nc.(type) {
	case *conn, *statedConn:
		return c.Conn
	}
	return nc
}

func (c *conn) Read(p []byte) (int, error) {
	c.startsRead()
	for {
		n, err := c.Conn.Read(p)
		if n == 0 && c.poked.Load() && isTimeout(err) {
			var again bool
			if again, err = c.woken(err); again {
				continue
			}
		}
		c.endsRead(n, len(p))
		return n, err
	}
}

// isTimeout reports whether a read ended at a deadline. Not every connection
// says so by os.ErrDeadlineExceeded.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// startsRead notes that now it is the client's turn. What came before, the
// computing of a TLS handshake say, was not its silence.
func (c *conn) startsRead() {
	c.reading.Store(true)
	draining := c.srv.isDraining.Load()
	if !draining && c.phase.Load() != phaseFresh {
		return
	}
	c.mu.Lock()
	if c.state == http.StateNew {
		if !c.hasRead && c.poked.Load() {
			c.unpokeLocked()
		}
		c.hasRead = true
		c.quiet = c.srv.now()
	}
	ends := draining && c.readsRestLocked()
	if ends {
		c.asked = c.srv.now()
	}
	c.mu.Unlock()
	if ends {
		c.srv.drainNow().lookAt(c)
	}
}

// readsRestLocked reports whether what is read now is the rest of a request that
// is answered, and settles it: net/http writes a response that says close first. It is
// not what net/http reads ahead, nor what a goroutine of the handler's reads meanwhile.
func (c *conn) readsRestLocked() bool {
	if c.flushing != nil && c.flushing.told && c.phase.Load() != phaseAhead && c.writes.Load() == 0 {
		c.endsLocked()
	}
	return c.ending && c.state == http.StateActive
}

// endsRead notes that n bytes came, into a buffer of the given size.
func (c *conn) endsRead(n, size int) {
	c.reading.Store(false)
	if n == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poked.Load() {
		c.unpokeLocked()
	}
	switch {
	case c.state == http.StateActive:
		// While a handler runs, net/http reads one byte ahead to notice that
		// the client went away.
		c.early = size == 1
	case c.state == http.StateNew, c.state == http.StateIdle && !c.h2: // idle HTTP/2 is quiet when it has no streams
		now := c.srv.now()
		if c.srv.isDraining.Load() {
			c.waited += now - max(c.quiet, moment(c.srv.drainStart.Load()))
		}
		c.inHand, c.quiet = true, now
	}
}

// woken decides what a read that ended at a deadline means.
func (c *conn) woken(err error) (again bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := moment(c.deadline.Load())
	if !c.poked.Load() || deadline != 0 && c.srv.now() >= deadline {
		return false, err // net/http's own deadline
	}
	if !c.waitingLocked() {
		c.unpokeLocked()
		return true, nil
	}
	if c.looked < looks {
		c.looked++
		c.Conn.SetReadDeadline(time.Now().Add(lastLook / looks))
		return true, nil
	}
	c.dropped = true
	return false, errDropped
}

// pokeLocked asks the reading goroutine to drop the connection unless something
// has come.
func (c *conn) pokeLocked(now moment) {
	c.asked = now
	c.poked.Store(true)
	c.dropped = c.bypassed // nobody of ours will be woken to decide
	c.rawLocked().SetReadDeadline(time.Unix(1, 0))
}

func (c *conn) unpokeLocked() {
	c.asked, c.looked = 0, 0
	c.poked.Store(false)
	if c.bypassed {
		// What net/http had asked for went past us.
		c.dropped = false
		c.rawLocked().SetReadDeadline(time.Time{})
		return
	}
	var t time.Time
	if d := moment(c.deadline.Load()); d != 0 {
		t = c.srv.epoch.Add(d)
	}
	c.Conn.SetReadDeadline(t)
}

// rawLocked returns what lies below TLS.
func (c *conn) rawLocked() net.Conn {
	if c.bypassed {
		return c.Conn.(*tls.Conn).NetConn()
	}
	return c.Conn
}

func (c *conn) SetReadDeadline(t time.Time) error {
	var deadline moment
	if !t.IsZero() {
		if deadline = t.Sub(c.srv.epoch); deadline == 0 {
			deadline = 1
		}
	}
	c.deadline.Store(int64(deadline))
	if deadline == 0 {
		c.phase.CompareAndSwap(0, phaseAhead)
	}
	if c.phase.Load() != phaseFresh && !c.srv.isDraining.Load() {
		// Nobody else sets deadlines, unless the drain begins meanwhile.
		if err := c.Conn.SetReadDeadline(t); err != nil || !c.srv.isDraining.Load() {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == http.StateNew && c.inHand {
		// The TLS handshake is over: net/http changes the deadline then, if it has
		// any. What came was not a request.
		c.inHand, c.quiet = false, c.srv.now()
	}
	if c.poked.Load() {
		return nil // set when the reader is done with the poke
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.Conn.SetWriteDeadline(t))
}

func (c *conn) Write(p []byte) (int, error) {
	c.writing(+1)
	defer c.writing(-1)
	return c.Conn.Write(p)
}

// ReadFrom keeps sendfile and splice: net/http and io.Copy look for it.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	c.writing(+1)
	defer c.writing(-1)
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// WriteTo keeps splice for those who hijack and copy.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	c.mu.Lock()
	hijacked := c.state == http.StateHijacked
	c.mu.Unlock()
	if hijacked {
		return io.Copy(w, c.Conn)
	}
	return io.Copy(w, struct{ io.Reader }{c})
}

func (c *conn) writing(by int32) {
	c.writes.Add(by)
	if by > 0 || !c.srv.isDraining.Load() {
		return
	}
	c.mu.Lock()
	wrote := c.goneAway && !c.wrote
	c.wrote = c.wrote || wrote
	if c.state == http.StateIdle && c.writes.Load() == 0 {
		c.tail = false
	}
	c.mu.Unlock()
	if wrote {
		c.srv.drainNow().lookAt(c)
	}
}

// CloseWrite ends our side of the connection: net/http uses it to avoid
// resets. It returns errors.ErrUnsupported where the connection cannot.
func (c *conn) CloseWrite() error {
	c.mu.Lock()
	raw := c.rawLocked()
	c.endsLocked()
	c.mu.Unlock()
	if cw, ok := raw.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close is called by net/http, crypto/tls, or a hijacker.
func (c *conn) Close() error {
	linger := c.mustLinger()
	if c.srv.isDraining.Load() {
		c.srv.drainNow().lookAt(c)
	}
	if linger {
		c.linger()
	}
	err := c.Conn.Close()
	c.mu.Lock()
	if c.state == http.StateHijacked {
		c.closed = true
	}
	gone := c.goneLocked()
	c.mu.Unlock()
	if gone {
		c.srv.remove(c)
	}
	return err
}

// mustLinger reports whether net/http closes the connection because of a
// response that we made say close.
func (c *conn) mustLinger() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endsLocked()
	return c.srv.isDraining.Load() && c.state == http.StateActive && !c.h2 && !c.cut && !c.closed
}

// endsLocked notes that net/http closes its side: what it had to write on
// HTTP/1 is written.
func (c *conn) endsLocked() {
	if c.state == http.StateActive && !c.h2 && !c.ending {
		c.ending, c.asked = true, c.srv.now()
		c.quiet = c.asked
		c.settleLocked()
	}
}

// settleLocked counts the last response as written.
func (c *conn) settleLocked() {
	if c.flushing != nil {
		c.flushing = nil
		c.answered++
	}
}

// settleOldLocked does it for an HTTP/2 response that had all the time it takes to
// write its last frame, on a connection that other streams keep active.
func (c *conn) settleOldLocked() {
	if c.h2 && c.writes.Load() == 0 && c.srv.now() >= c.quiet+settle {
		c.settleLocked()
	}
}

// linger closes our side and reads on while the client still sends. One that
// sends nothing costs a lastLook.
func (c *conn) linger() {
	if c.CloseWrite() != nil {
		return
	}
	var buf [512]byte
	end := time.Now().Add(lingerMost)
	for wait := lastLook; time.Now().Before(end); wait = time.Until(end) {
		if c.Conn.SetReadDeadline(time.Now().Add(wait)) != nil {
			return
		}
		if _, err := c.Conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// waitingLocked reports whether nothing would be lost if the connection ended:
// it waits for a request, no handler runs on it and nothing is being written.
// (An HTTP/2 connection is idle for net/http while handlers of streams that
// were reset still run.)
func (c *conn) waitingLocked() bool {
	return c.waitsLocked() && c.nreqs == 0 && c.writes.Load() == 0 && !c.closed
}

// waitsLocked reports whether net/http waits for a request.
func (c *conn) waitsLocked() bool {
	return c.state == http.StateNew || c.state == http.StateIdle
}

// goneLocked reports, once, that connection and handlers are over.
func (c *conn) goneLocked() bool {
	if !c.closed && !c.cut || c.nreqs > 0 || c.removed {
		return false
	}
	c.removed = true
	return true
}

// setState follows net/http. It reports whether the connection is gone. The
// user's hook is called by the caller.
func (c *conn) setState(state http.ConnState) (gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == http.StateHijacked {
		if c.hijacker == nil && state == http.StateClosed {
			c.closed = true // the function of a TLSNextProto has returned
			return c.goneLocked()
		}
		// HTTP/2 that a handler serves on a connection which it hijacked reports
		// here too.
		return false
	}
	c.state, c.waited, c.final = state, 0, false
	if state == http.StateNew {
		c.phase.Store(phaseFresh)
	} else if c.phase.Load() != 0 {
		c.phase.Store(0)
	}
	switch state {
	case http.StateActive:
		c.wasEarly, c.early = c.early, false
		if c.bypassed {
			c.quiet = c.srv.now()
		}
		if c.poked.Load() {
			c.unpokeLocked() // the request was faster, or was read already
		}
	case http.StateIdle:
		c.quiet, c.inHand = c.srv.now(), c.early || c.wasEarly
		c.settleLocked()
	case http.StateHijacked:
		if !c.cut { // otherwise its request is on the account as aborted
			c.hijacker = c.reqs
		}
		if c.poked.Load() {
			c.unpokeLocked()
		}
	case http.StateClosed:
		c.closed = true
		c.settleLocked()
		return c.goneLocked()
	}
	return false
}

// cutResult is what a cut found.
type cutResult struct {
	raw     net.Conn // to be closed by the caller, since that may block; nil: nothing
	aborted []Request
	hijack  *Request
	unbegun bool // a request was read, and had not reached its handler
}

// cutLocked takes the connection off its users whatever it does, without the
// courtesy of crypto/tls, which may take 5 s a connection, and says what that
// cost.
func (c *conn) cutLocked() (res cutResult) {
	if c.cut || c.removed {
		return res
	}
	over := c.closed // only handlers are left
	c.cut = true
	if !over {
		res.raw = c.rawLocked()
	}
	hijacked := c.state == http.StateHijacked
	if hijacked {
		res.hijack = c.hijackEndLocked()
	}
	if c.hijacker != nil {
		return res
	}
	res.aborted = c.abortLocked()
	if over || hijacked || len(res.aborted) > 0 || c.ending {
		return res
	}
	// An HTTP/1 connection is active from the last byte of the header on.
	res.unbegun = c.state == http.StateActive && !c.h2 && !c.dropped
	c.dropped = c.dropped || c.waitsLocked()
	return res
}

// hijackEndLocked describes a hijacked connection that is being closed, once.
func (c *conn) hijackEndLocked() *Request {
	if c.reported {
		return nil
	}
	c.reported = true
	r := c.describeLocked(c.hijacker)
	r.Running = c.nreqs > 0
	return &r
}

// abortLocked counts the requests of the connection as aborted: those whose
// handlers run, and the one whose response is not known to be written.
func (c *conn) abortLocked() (rs []Request) {
	for x := c.reqs; x != nil; x = x.next {
		if !x.aborted {
			x.aborted = true
			r := c.describeLocked(x)
			r.Running = true
			rs = append(rs, r)
		}
	}
	c.settleOldLocked()
	if x := c.flushing; x != nil {
		c.flushing = nil
		rs = append(rs, c.describeLocked(x))
	}
	c.aborted += uint32(len(rs))
	return rs
}

// describeLocked describes a request. There is none, but only the client, on a
// connection whose protocol a TLSNextProto of the user's serves. (RemoteAddr is the
// listener's code, and may read; net/http has asked for it before any request.)
func (c *conn) describeLocked(x *exchange) Request {
	r := Request{RemoteAddr: addrString(c.Conn.RemoteAddr())}
	if x == nil {
		return r
	}
	r.Proto = "HTTP/1.1"
	if c.h2 {
		r.Proto = "HTTP/2.0"
	}
	r.Method, r.Path = x.method, x.path
	r.Age = c.srv.now() - x.start
	r.Stream = x.flushed && (x.drainAsked || c.drainAsked)
	return r
}

func addrString(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
