package fxshutdown

import "net"

// account is the account of one connection's requests. A request that has begun
// is in exactly one place:
//
//	running     its handler runs
//	undecided   its handler has returned; whether its response is written is not known yet
//	answered    its response was handed to the network
//	failed      its handler panicked, or wrote less than it had declared
//	hijacked    its handler took over the connection
//	aborted     the stop cut it off, or it failed after the stop had cancelled its context
//	ended       EndOnDrain, or the stop, had cancelled a stream of EndOnDrain, and its handler
//	            then gave up: with http.ErrAbortHandler, or an incomplete response
//
// The next state of an HTTP/1 connection shows that net/http has written its response. On
// HTTP/2 there is such a state only when the connection has no other stream, and net/http
// flushes after the user's hook has been told. So a response also counts as written if
// something has been written since its handler returned when another request begins or
// returns, and after a schedulingSlack in which nothing is written or, on HTTP/1, read.
//
// The fields are guarded by conn.mu. The number of ended requests is in retirement.
type account struct {
	running   *exchange // newest first
	undecided *exchange // newest first; at most one on HTTP/1
	takeover  *takeover // the request that hijacked the connection

	answered uint64
	failed   uint32
	aborted  uint32
}

// totals is the account of many connections.
type totals struct {
	Accepted uint64
	Closed   uint64

	Answered  uint64
	Failed    uint64
	Hijacked  uint64
	Aborted   uint64
	Ended     uint64
	Undecided uint64 // running ones included
}

// begun is the number of requests that have begun.
func (t *totals) begun() uint64 {
	return t.Answered + t.Failed + t.Hijacked + t.Aborted + t.Ended + t.Undecided
}

// addLocked adds the requests of a connection whose lock the caller holds.
func (t *totals) addLocked(c *conn) {
	a := &c.account
	t.Answered += a.answered
	t.Failed += uint64(a.failed)
	t.Aborted += uint64(a.aborted)
	if c.exit != nil {
		t.Ended += uint64(c.exit.ended)
	}
	if a.takeover != nil && !a.takeover.foreign {
		t.Hijacked++
	}
	t.Undecided += uint64(a.undecided.len())
	for x := a.running; x != nil; x = x.next {
		if !x.aborted && !x.hijacked {
			t.Undecided++
		}
	}
}

// countAnsweredLocked counts the undecided responses as written.
func (a *account) countAnsweredLocked() {
	a.answered += uint64(a.undecided.len())
	a.undecided = nil
}

// maxUndecided bounds what is kept about the requests of an HTTP/2 client that resets
// streams while it reads nothing: as many as net/http allows at a time.
const maxUndecided = 250

// countWrittenLocked counts the undecided responses as written when another request
// begins or returns. On HTTP/2 that alone is not enough: something must have been written
// since.
func (c *conn) countWrittenLocked() {
	if c.h2 == nil || c.writes.ended() != c.wroteBefore || c.undecided.len() >= maxUndecided {
		c.countAnsweredLocked()
	}
}

// len returns the length of a list of requests.
func (x *exchange) len() (n int) {
	for ; x != nil; x = x.next {
		n++
	}
	return n
}

// countOldAnswerLocked counts the undecided responses as written if there was enough time
// to write their ends. While net/http reads on HTTP/1, it may be reading the rest of the
// request before it writes the response; once it has written, that was the response.
func (c *conn) countOldAnswerLocked() {
	slack := schedulingSlack
	if c.h2 == nil {
		if c.reading.Load() != readsNothing {
			return
		}
		if c.writes.ended() != c.wroteBefore {
			slack = lateSlack
		}
	}
	if c.hooks == 0 && c.writes.underWay() == 0 && c.set.now() >= c.quiet+slack {
		c.countAnsweredLocked()
	}
}

// begin adds x to the account. It returns false if the connection is cut or gone already.
func (c *conn) begin(x *exchange, major int) bool {
	changed := false
	c.mu.Lock()
	defer func() {
		c.mu.Unlock()
		if changed {
			c.set.changed(c) // it may be due earlier: no other event says that it is held, or late
		}
	}()
	if c.cut || c.stage.Load() == stageGone {
		return false
	}
	c.countWrittenLocked()
	if s := c.stage.Load(); s == stageRead || c.h2 != nil && s <= stageNew {
		c.stage.setLocked(stageActive)
	}
	x.cancelled = c.set.cancelled.Load()
	if major == 1 {
		x.start = c.quiet // when its last header byte came
	} else {
		x.start = c.set.now()
	}
	x.next, c.running = c.running, x
	c.noteClientLocked(x.start, 1)
	if x.bodyOpen {
		c.h2.noteBodyLocked()
	}
	switch {
	case c.retired.Load():
		changed = c.holdLocked() || c.set.limits.grace > 0 && !c.exit.drains
	case c.set.limits.requests > 0 && c.requestsLocked() >= c.set.limits.requests:
		c.retireServingLocked(forRequests)
		changed = true
	}
	return true
}

// end removes x from the running requests. returned says whether its handler returned or
// panicked.
func (c *conn) end(x *exchange, returned bool) {
	short := returned && x.isShort()
	c.mu.Lock()
	c.removeLocked(x)
	if c.running == nil && c.exit != nil {
		c.exit.overdue = 0 // a later request has its own time
	}
	c.bodyEndsLocked(x)
	// While an HTTP/1 connection serves, the next state notes the time soon enough.
	now := c.quiet
	if c.h2 != nil || c.retired.Load() {
		now = c.set.now()
	}
	if !x.hijacked {
		c.noteClientLocked(now, -1)
	}
	stage := c.stage.Load()
	// A stream was told to end, and may end in any way.
	lost := x.cancelled && !x.streams() && (!returned || short || x.response&writeFailed != 0)
	switch {
	case x.aborted || x.hijacked:
		// Counted already.
	case lost:
		c.aborted++
	case x.hasEndedLocked(returned, short):
		c.exit.ended++
	case !returned || short:
		c.failed++
	case stage == stageActive:
		c.countWrittenLocked()
		x.next, c.undecided = c.undecided, x
	default: // the client reset the stream, or went away
		c.answered++
	}
	if !x.hijacked && stage == stageActive {
		c.quiet, c.wroteBefore = now, c.writes.ended()
		if c.h2 != nil {
			c.h2.finishing = true
		}
	}
	if !returned {
		c.closingLocked() // net/http closes an HTTP/1 connection after a panic
	}
	if c.bypassed && x.hijacked {
		c.stage.setLocked(stageClosed) // its Close bypasses us
	}
	if x.hijacked {
		// Whoever keeps the request's context must not keep net/http's buffers too.
		x.rw = &hijackedWriter{header: x.rw.Header(), conn: c}
	}
	var cancelled *Request
	if x.cancelled && !x.aborted && !x.hijacked {
		r := c.describeLocked(x)
		cancelled = &r
	}
	gone := c.goneLocked()
	changed := c.running == nil && (stage == stageIdle || c.closing == closingHTTP) || c.wasLastOfClientLocked()
	c.mu.Unlock()

	if cancelled != nil {
		c.set.cancelledEnded(*cancelled, lost)
	}
	switch {
	case gone:
		c.set.remove(c)
	case changed && c.retired.Load():
		c.set.changed(c) // the handler of a reset stream outlived it, or panicked
	}
}

// bodyEndsLocked notes that the body of an HTTP/2 request was read, or given up.
func (c *conn) bodyEndsLocked(x *exchange) {
	if x.bodyOpen {
		x.bodyOpen = false
		c.h2.bodies--
	}
}

// countRunningLocked counts the running requests, except one that hijacked its
// connection.
func (a *account) countRunningLocked() (n int32) {
	for x := a.running; x != nil; x = x.next {
		if !x.hijacked {
			n++
		}
	}
	return n
}

// oldestBeganLocked returns when the oldest running request began, or the one that
// hijacked the connection; 0 means that there is none.
func (a *account) oldestBeganLocked() (began moment) {
	if a.takeover != nil {
		return a.takeover.start
	}
	for x := a.running; x != nil; x = x.next {
		began = x.start
	}
	return began
}

// requestsLocked counts the requests that have begun.
func (c *conn) requestsLocked() uint64 {
	var t totals
	t.addLocked(c)
	return t.begun()
}

// removeLocked removes x from the list. It walks the list: HTTP/1 runs one handler at a
// time, HTTP/2 at most MaxConcurrentStreams, which net/http sets to 250.
func (a *account) removeLocked(x *exchange) {
	p := &a.running
	for *p != x {
		p = &(*p).next
	}
	*p = x.next
}

// abortLocked counts the requests of the connection as aborted: those whose
// handlers run, and those whose responses are not known to be written.
func (c *conn) abortLocked() (rs []Request) {
	for x := c.running; x != nil; x = x.next {
		if !x.aborted {
			x.aborted = true
			r := c.describeLocked(x)
			r.Running = true
			rs = append(rs, r)
		}
	}
	c.countOldAnswerLocked()
	for x := c.undecided; x != nil; x = x.next {
		rs = append(rs, c.describeLocked(x))
	}
	c.undecided = nil
	c.aborted += uint32(len(rs))
	return rs
}

// describeLocked returns what a report or a log shows of a request.
func (c *conn) describeLocked(x *exchange) Request {
	if x.hijacked {
		return c.describeTakeoverLocked()
	}
	r := c.requestLocked(*x.method, x.path, x.start)
	r.Stream = x.streams()
	return r
}

// requestLocked calls RemoteAddr, which is the listener's code and may read from the
// connection; but net/http has called it before any request.
func (c *conn) requestLocked(method, path string, start moment) Request {
	proto := "HTTP/1.1"
	if c.h2 != nil {
		proto = "HTTP/2.0"
	}
	return Request{
		Method:     kept(method),
		Path:       kept(path),
		Proto:      proto,
		RemoteAddr: kept(addrString(c.Conn.RemoteAddr())),
		Age:        c.set.now() - start,
	}
}

func addrString(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// cancelRunningLocked notes that the contexts of the running requests are about to be
// cancelled, and calls add with those for which that is new.
func (c *conn) cancelRunningLocked(add func(Request)) {
	for x := c.running; x != nil; x = x.next {
		if !x.hijacked && !x.cancelled {
			x.cancelled = true
			add(c.describeLocked(x))
		}
	}
}
