package fxshutdown

import (
	"net"
	"time"
)

// A response that is written may be on its way for a long time: the kernel takes
// megabytes, and the client may read slowly. On HTTP/1 the kernel takes care of this: it
// delivers what a closed connection has still to send. On HTTP/2 the client goes on
// sending meanwhile, at least WINDOW_UPDATE. If that reaches a closed socket, or lies
// unread in one that is being closed, the kernel answers with a reset and throws away the
// rest of the response. So a connection that speaks HTTP/2 stays open while its client
// reads.

// delivery is what is known about the last bytes that are on their way.
type delivery struct {
	left int32  // bytes that the peer has not acknowledged
	at   moment // when their number last fell
}

// goesOn reports whether bytes are on their way and the peer still takes some of them.
func (d *delivery) goesOn(nc net.Conn, now moment) bool {
	left, known := unsentBytes(nc)
	switch {
	case !known || left <= 0:
		return false
	case d.left == 0 || left < d.left:
		d.left, d.at = left, now
	}
	return now < d.at+maxUnread
}

// deliversLocked reports whether the last response of an HTTP/2 connection that is about
// to be cut is on its way. If it is, the times for the end of the connection count from
// now.
func (c *conn) deliversLocked(now moment) bool {
	if c.h2 == nil || c.running != nil || !c.h2.delivery.goesOn(c.underTLS(), now) {
		return false
	}
	c.quiet = now
	if c.exit.asked != 0 {
		c.exit.asked = now
	}
	return true
}

// deliver waits for the delivery on an HTTP/2 connection that net/http closes, which it
// does a second after GOAWAY, whatever the client has read by then.
func (c *conn) deliver() {
	var d delivery
	for wait := lastRead; d.goesOn(c.underTLS(), c.set.now()); wait = min(2*wait, recheck) {
		time.Sleep(wait)
	}
}
