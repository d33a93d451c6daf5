package drain

import (
	"context"
	"io"
	"time"
)

// An obstacleClient holds a connection that asks for nothing: a silent one, or one that
// sent half a header.
type obstacleClient struct {
	holder
	send []byte // half a header, nil for silence
}

func (o *obstacleClient) hold(ctx context.Context) {
	dial := o.dialer.dialRaw // silence begins before the TLS handshake
	if o.send != nil {
		dial = func(ctx context.Context) (*conn, error) { return o.dialer.dial(ctx, "http/1.1") }
	}
	c, err := dial(o.gate.dialing)
	if err != nil {
		o.rec.dialFailed(err)
		return
	}
	defer c.Close()
	if o.send != nil {
		if _, err := c.Write(o.send); err != nil {
			o.rec.dialFailed(err)
			return
		}
	}
	o.arm()
	stop := wakeWhenOverdue(ctx, o.gate.over, c)
	// A server may say something first, such as a 408. What counts is when it closes.
	_, err = io.Copy(io.Discard, c.br)
	stop()

	now := time.Now()
	r := o.rec
	r.mu.Lock()
	defer r.mu.Unlock()
	if !o.clock.signalled(now) {
		if ctx.Err() != nil {
			return // it was left out
		}
		r.obstacle.ClosedBefore++
		return
	}
	r.obstacle.Held++
	if err != nil && endingOf(err) == stillOpen {
		r.obstacle.Open++
		return
	}
	r.obstacle.ClosedAfter = append(r.obstacle.ClosedAfter, millis(now.Sub(*o.clock.signal.Load())))
}

// halfHeader is the beginning of a request that is never finished.
func halfHeader(method, path, host string) []byte {
	return []byte(method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nX-Half: ")
}
