package fxshutdown

import "crypto/tls"

// connList is a list that is linked through the connections themselves, which costs each
// of them two words.
type connList struct {
	head *conn
	n    int

	// byTLS finds the connections that the listener returned as *tls.Conn. net/http has
	// to get these as they are: it would not speak HTTP/2 on a wrapper.
	byTLS map[*tls.Conn]*conn
}

func (l *connList) add(c *conn) {
	if c.next = l.head; c.next != nil {
		c.next.prev = c
	}
	l.head = c
	l.n++
	if tc, ok := c.Conn.(*tls.Conn); ok {
		if l.byTLS == nil {
			l.byTLS = make(map[*tls.Conn]*conn)
		}
		l.byTLS[tc] = c
	}
}

func (l *connList) remove(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
	if tc, ok := c.Conn.(*tls.Conn); ok {
		delete(l.byTLS, tc)
	}
}
