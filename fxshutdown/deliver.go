package fxshutdown

import (
	"net"
	"time"
)

// A response that is written may be on its way for long: the kernel takes megabytes, and
// its client reads slowly. On HTTP/1 that is the kernel's business, who delivers what a
// closed connection has still to send. On HTTP/2 the client goes on sending meanwhile,
// WINDOW_UPDATE at least, and what reaches a closed socket, or lies unread in one that is
// being closed, is answered by a reset, for which the kernel throws away the rest of the
// response. So a connection that speaks HTTP/2 stays open while its client reads.

// delivery is what is known of the way of the last bytes.
type delivery struct {
	left int32  // bytes that the peer has not acknowledged
	at   moment // when they had become that few
}

// goesOn reports whether bytes are on their way, and the peer still takes some of them.
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
// to be cut is on its way. What it was asked for counts from now then.
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

// deliver waits for it, on an HTTP/2 connection that net/http closes: a second after
// GOAWAY, whatever its client has read by then.
func (c *conn) deliver() {
	var d delivery
	for d.goesOn(c.underTLS(), c.set.now()) {
		time.Sleep(recheck)
	}
}
