package fxshutdown

import "time"

// The link between a connection that retires and its client.

// joinClientLocked adds the connection to those of its client. The address of a
// connection that is not a socket may have to be read from it first, which net/http does
// before it reads a request.
func (c *conn) joinClientLocked() {
	stage := c.stage.Load()
	if c.set.noGrace || !c.exit.drains || c.exit.client != nil || stage >= stageClosed || stage == stageAccepted && !isSocket(c.underTLS()) {
		return
	}
	cl := c.set.clients.of(c.Conn.RemoteAddr())
	c.exit.client = cl
	cl.note(c.quiet)
	cl.running.Add(c.countRunningLocked())
}

// leaveClientLocked is the reverse: what still runs on a closed connection is not a sign
// of its client.
func (c *conn) leaveClientLocked() {
	if c.exit != nil && c.exit.client != nil {
		c.exit.client.running.Add(-c.countRunningLocked())
		c.exit.client = nil
	}
}

// noteClientLocked notes a sign of the client of a connection that retires, and adds
// running to the number of the client's running requests.
func (c *conn) noteClientLocked(at moment, running int32) {
	if c.exit != nil && c.exit.client != nil {
		c.exit.client.note(at)
		c.exit.client.running.Add(running)
	}
}

// wasLastOfClientLocked reports whether no request of the client runs any more: its
// other connections may be due then.
func (c *conn) wasLastOfClientLocked() bool {
	return c.exit != nil && c.exit.client != nil && !c.exit.client.isBusy()
}

// clientStirredLocked reports whether there was a sign of the client on another
// connection, in time and after the reader was interrupted.
func (c *conn) clientStirredLocked(now moment) bool {
	if c.exit.client == nil {
		return false
	}
	limit := c.exit.at + c.exit.client.maxWait()
	since := c.exit.client.quietSince()
	// For a busy client, decide waits until the limit, or lastRead before it.
	return c.exit.client.isBusy() && now < limit-lastRead || since > c.exit.asked && since <= limit
}

// askKernelLocked asks about the client of a connection that is about to be dropped, and
// reports whether the answer may spare it: the client still reads its last response, or
// it is far away and not quiet.
func (c *conn) askKernelLocked(now moment, grace time.Duration) bool {
	nc := c.underTLS()
	if unsent(nc) {
		c.noteClientLocked(now, 0)
		return true
	}
	cl := c.exit.client
	return cl != nil && (cl.isBusy() || cl.quietSince()+grace > now) && cl.measure(nc)
}
