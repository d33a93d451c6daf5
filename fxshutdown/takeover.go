package fxshutdown

// takeover is what is kept of the request that hijacked a connection.
type takeover struct {
	method, path string
	start        moment
	foreign      bool // there was no request: the user's TLSNextProto serves its protocol
	stream       bool // see Request.Stream
	ends         bool // EndOnDrain serves it
	reported     bool // its end is in the report
}

// isForeign reports whether no request was taken over. A connection that was cut
// first has no takeover.
func (t *takeover) isForeign() bool { return t == nil || t.foreign }

// takeoverEndLocked describes a hijacked connection that is being closed, once.
func (c *conn) takeoverEndLocked() *Request {
	if c.takeover.reported {
		return nil
	}
	c.takeover.reported = true
	r := c.describeTakeoverLocked()
	return &r
}

// hijackLocked counts the running request as hijacked. On a connection that was cut, it
// is already aborted.
func (c *conn) hijackLocked() {
	switch x := c.running; {
	case c.cut:
	case x == nil:
		c.takeover = &takeover{foreign: true}
	default:
		x.hijacked = true
		c.noteClientLocked(c.set.now(), -1)
		c.takeover = &takeover{method: keptMethod(x.method), path: kept(x.path), start: x.start}
		c.takeover.followLocked(x)
	}
}

// describeTakeoverLocked describes the request that hijacked the connection; if a
// TLSNextProto serves its protocol, only the client is known.
func (c *conn) describeTakeoverLocked() Request {
	t := c.takeover
	if t.foreign {
		return Request{RemoteAddr: kept(addrString(c.Conn.RemoteAddr())), Running: c.running != nil}
	}
	r := c.requestLocked(t.method, t.path, t.start)
	r.Stream, r.Running = t.stream, c.running != nil
	return r
}
