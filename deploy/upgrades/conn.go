//go:build unix

package upgrades

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// errHanded is what net/http reads from a connection that the successor has. It takes an
// error of this kind for the client's, closes our descriptor, and answers nothing.
var errHanded = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("handed over")}

// conn is a connection that is handed over when it waits for a request.
type conn struct {
	*net.TCPConn
	set *conns

	mu      sync.Mutex // guards what follows
	waiting bool       // for a request of which no byte has been read
	wanted  time.Time  // the read deadline that net/http has asked for
}

// Read hands the connection over instead of reading, if it is time and nothing of a
// request is in this process: what the kernel holds goes along.
func (c *conn) Read(b []byte) (int, error) {
	for {
		if c.isDue() {
			if err := c.set.give(c.TCPConn); err == nil {
				return 0, errHanded
			}
			// The successor has gone: serve on.
		}
		n, err := c.TCPConn.Read(b)
		c.mu.Lock()
		if n > 0 {
			c.waiting = false
		}
		woken := n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.set.isHanding() && (c.wanted.IsZero() || time.Now().Before(c.wanted))
		if woken && !c.waiting {
			c.TCPConn.SetReadDeadline(c.wanted)
		}
		c.mu.Unlock()
		if !woken {
			return n, err
		}
	}
}

func (c *conn) isDue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiting && c.set.isHanding()
}

// SetReadDeadline is called by net/http, which must not undo wake.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	if c.waiting && c.set.isHanding() {
		t = longAgo
	}
	return c.TCPConn.SetReadDeadline(t)
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

var longAgo = time.Unix(1, 0)

// wake makes a waiting Read look again.
func (c *conn) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting {
		c.TCPConn.SetReadDeadline(longAgo)
	}
}

func (c *conn) Close() error {
	c.set.remove(c)
	return c.TCPConn.Close()
}

// onState is the http.Server's ConnState.
func onState(nc net.Conn, state http.ConnState) {
	c := nc.(*conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	// A client that pipelines may have sent more than the request that was answered,
	// and that is in this process: this trial would lose it.
	c.waiting = state == http.StateNew || state == http.StateIdle
}
