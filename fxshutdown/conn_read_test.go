package fxshutdown

import (
	"errors"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// newPipeConn returns a tracked connection in a bubble, and its client. Its
// deadlines are as lazy as those of a socket.
func newPipeConn(t *testing.T) (c *conn, client net.Conn) {
	t.Helper()
	set := newConnSet(new(http.Server))
	client, raw := net.Pipe()
	t.Cleanup(func() { client.Close(); raw.Close() })
	served, ok := set.track(raw)
	if !ok {
		t.Fatal("the set takes no connection")
	}
	c = served.(*conn)
	c.lazy = true
	return c, client
}

// serveOne takes the connection through a first request to its idle stage.
func serveOne(t *testing.T, c *conn, client net.Conn) {
	t.Helper()
	go client.Write([]byte("request"))
	if n, err := c.Read(make([]byte, 64)); n != 7 || err != nil {
		t.Fatalf("Read() = %d, %v, want the request", n, err)
	}
	c.setState(http.StateActive)
	c.setState(http.StateIdle)
}

// TestReadDeadline moves deadlines as net/http and handlers do, before and during
// a read, and looks at when the read ends, to the nanosecond.
func TestReadDeadline(t *testing.T) {
	type move struct {
		at time.Duration // since the read began; before it, if negative
		to time.Duration // the deadline, since the read began; 0: none
	}
	const never = 0
	for _, test := range []struct {
		name   string
		active bool // in a request: net/http reads ahead, or a body is read
		moves  []move
		want   time.Duration
	}{
		{"none", false, nil, never},
		{"before", false, []move{{-1, 10 * time.Second}}, 10 * time.Second},
		{"before, twice", false, []move{{-1, 120 * time.Second}, {-1, 10 * time.Second}}, 10 * time.Second},
		{"before, and lifted", false, []move{{-1, 10 * time.Second}, {-1, 0}}, never},
		{"earlier", false, []move{{-1, 10 * time.Second}, {time.Second, 5 * time.Second}}, 5 * time.Second},
		{"later", false, []move{{-1, 10 * time.Second}, {time.Second, 20 * time.Second}}, 20 * time.Second},
		{"lifted", false, []move{{-1, 10 * time.Second}, {time.Second, 0}}, never},
		{"lifted and set again", false, []move{{-1, 10 * time.Second}, {time.Second, 0}, {2 * time.Second, 30 * time.Second}}, 30 * time.Second},
		{"past", false, []move{{time.Second, -time.Hour}}, time.Second},
		{"past before", false, []move{{-1, -time.Hour}}, 1},
		{"past before, and lifted", false, []move{{-1, -time.Hour}, {-1, 0}}, never},
		{"past before, and set", false, []move{{-1, -time.Hour}, {-1, 10 * time.Second}}, 10 * time.Second},
		{"active, first", true, []move{{time.Second, 5 * time.Second}}, 5 * time.Second},
		{"active, earlier", true, []move{{-1, 10 * time.Second}, {time.Second, 5 * time.Second}}, 5 * time.Second},
		{"active, later", true, []move{{-1, 10 * time.Second}, {time.Second, 20 * time.Second}}, 20 * time.Second},
		{"active, lifted", true, []move{{-1, 10 * time.Second}, {time.Second, 0}}, never},
		{"active, past", true, []move{{time.Second, -time.Hour}}, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, client := newPipeConn(t)
				serveOne(t, c, client)
				if test.active {
					c.setState(http.StateActive)
				}
				began := time.Now().Add(1)
				deadline := func(m move) time.Time {
					if m.to == 0 {
						return time.Time{}
					}
					return began.Add(m.to)
				}
				for _, m := range test.moves {
					if m.at < 0 {
						c.SetReadDeadline(deadline(m))
					}
				}
				time.Sleep(time.Nanosecond)
				wrote := make(chan struct{})
				go func() {
					defer close(wrote)
					for _, m := range test.moves {
						if m.at >= 0 {
							time.Sleep(time.Until(began.Add(m.at)))
							c.SetReadDeadline(deadline(m))
						}
					}
					time.Sleep(time.Until(began.Add(time.Hour)))
					client.Write([]byte("x"))
				}()
				n, err := c.Read(make([]byte, 1))
				took := time.Since(began)
				switch {
				case test.want == never:
					if n != 1 || err != nil || took != time.Hour {
						t.Errorf("Read() = %d, %v after %v, want the byte after an hour", n, err, took)
					}
				case n != 0 || !errors.Is(err, os.ErrDeadlineExceeded):
					t.Errorf("Read() = %d, %v, want the deadline", n, err)
				case took != test.want && test.want != 1:
					t.Errorf("Read() ended after %v, want %v", took, test.want)
				}
				c.NetConn().Close()
				<-wrote
			})
		})
	}
}

// From the hijack on, deadlines are real, even for reads that bypass the wrapper: a stale
// one is gone.
func TestReadDeadlineOfHijacked(t *testing.T) {
	for _, test := range []struct {
		name  string
		state http.ConnState
	}{
		{"handler", http.StateActive}, // a request is hijacked
		{"protocol", http.StateIdle},  // as for an unknown TLSNextProto
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, client := newPipeConn(t)
				serveOne(t, c, client)
				c.SetReadDeadline(time.Now().Add(10 * time.Second))
				go client.Write([]byte("request"))
				if _, err := c.Read(make([]byte, 64)); err != nil {
					t.Fatal(err)
				}
				c.setState(test.state)
				c.SetReadDeadline(time.Time{})
				c.setState(http.StateHijacked)

				go func() {
					time.Sleep(time.Minute)
					client.Write([]byte("x"))
				}()
				if n, err := c.NetConn().Read(make([]byte, 1)); n != 1 || err != nil {
					t.Errorf("Read() past the wrapper = %d, %v, want a byte: the deadline was lifted", n, err)
				}
				c.SetReadDeadline(time.Now().Add(time.Second))
				if _, err := c.NetConn().Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Read() past the wrapper = %v, want the deadline", err)
				}
				c.SetReadDeadline(time.Time{})
				time.AfterFunc(time.Minute, func() { client.Write([]byte("x")) })
				if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
					t.Errorf("Read() = %d, %v, want a byte: the deadline was lifted", n, err)
				}
			})
		})
	}
}

// A connection that is interrupted, and for which something arrives, has the deadline
// that was asked for, not that of the interruption.
func TestInterruptedReadDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newPipeConn(t)
		serveOne(t, c, client)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		c.retire()
		got := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			got <- err
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err = c.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		c.mu.Lock()
		c.interruptLocked(c.set.now(), false)
		c.mu.Unlock()
		go client.Write([]byte("x"))
		if err := <-got; err != nil {
			t.Fatalf("Read() = %v, want the byte that came", err)
		}
		began := time.Now()
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Errorf("Read() = %v after %v, want the deadline after 5s", err, time.Since(began))
		}
	})
}

// A read that is interrupted and gets nothing ends the connection, after its last
// reads.
func TestInterruptedReadDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newPipeConn(t)
		serveOne(t, c, client)
		c.retire()
		got := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		began := time.Now()
		c.mu.Lock()
		c.interruptLocked(c.set.now(), false)
		c.mu.Unlock()
		if err := <-got; err != errDropped || time.Since(began) != lastRead {
			t.Errorf("Read() = %v after %v, want %v after %v", err, time.Since(began), errDropped, lastRead)
		}
		if !c.dropped {
			t.Error("the connection does not count as dropped")
		}
	})
}

// A connection that was interrupted while its listener read from it, and reaches net/http
// after that, has the whole time of a connection that waits.
func TestInterruptedBeforeFirstRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newPipeConn(t)
		c.retire()
		c.mu.Lock()
		c.interruptLocked(c.set.now(), false)
		c.mu.Unlock()
		time.AfterFunc(time.Second, func() { client.Write([]byte("x")) })
		if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("Read() = %d, %v, want the byte that came", n, err)
		}
	})
}

// Lifting a write deadline that was never set does not reach the socket; one that
// was set is lifted.
func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newPipeConn(t)
		serveOne(t, c, client)
		write := func() error {
			_, err := c.Write([]byte("x"))
			return err
		}
		if err := c.SetWriteDeadline(time.Time{}); err != nil || c.writeBy.Load() {
			t.Errorf("SetWriteDeadline(none) = %v, set = %v, want nothing set", err, c.writeBy.Load())
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		if err := write(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write() = %v, want the deadline", err)
		}
		c.SetWriteDeadline(time.Time{})
		go func() {
			time.Sleep(time.Minute)
			client.Read(make([]byte, 1))
		}()
		if err := write(); err != nil {
			t.Errorf("Write() = %v, want nil: the deadline was lifted", err)
		}
	})
}

// A connection that is interrupted while its client shows itself on another one is
// read on, if that is not too late.
func TestInterruptedWhileClientStirs(t *testing.T) {
	const far = 2 * maxClientWait
	for _, test := range []struct {
		sleep time.Duration // after the connection retired
		wait  time.Duration // what is known about the client's distance
		final bool
		want  time.Duration // when the read ends
	}{
		{maxClientWait - lastRead, 0, false, time.Minute},
		{maxClientWait, 0, false, lastRead},
		{far - lastRead, far, false, time.Minute},
		{far, far, false, lastRead},
		{0, 0, true, lastRead},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, client := newPipeConn(t)
			serveOne(t, c, client)
			c.drain()
			c.exit.client.wait.Store(int64(test.wait))
			time.Sleep(test.sleep)
			began := time.Now()
			go func() {
				time.Sleep(lastRead / 2)
				c.exit.client.note(c.set.now())
				time.Sleep(time.Until(began.Add(time.Minute)))
				client.Close()
			}()
			c.mu.Lock()
			c.interruptLocked(c.set.now(), test.final)
			c.mu.Unlock()
			c.Read(make([]byte, 1))
			if took := time.Since(began); took != test.want {
				t.Errorf("%+v: Read() ended after %v", test, took)
			}
			time.Sleep(time.Until(began.Add(time.Minute)))
		})
	}
}

// A deadline that a hijacker sets on the connection below the wrapper ends reads through
// the wrapper.
func TestReadDeadlinePastWrapper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := newPipeConn(t)
		serveOne(t, c, client)
		c.setState(http.StateActive)
		c.setState(http.StateHijacked)
		began := time.Now()
		c.NetConn().SetReadDeadline(began.Add(time.Second))
		time.AfterFunc(time.Minute, func() { client.Close() })
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("Read() = %v after %v, want the deadline after a second", err, time.Since(began))
		}
	})
}

// What is read after a response was written is the rest of its request, and the
// connection is about to close. That does not hold for the byte that net/http reads
// ahead.
func TestReadBehindResponse(t *testing.T) {
	for _, test := range []struct {
		name string
		size int
		play func(*exchange) // as its handler
		want closing
	}{
		{"flushed", 2, func(x *exchange) { x.flushed = true }, closingHTTP},
		{"says close", 2, func(x *exchange) { x.tellClose() }, closingHTTP},
		{"not written", 2, func(*exchange) {}, closingNone},
		{"one byte ahead", 1, func(x *exchange) { x.flushed = true }, closingNone},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, client := newPipeConn(t)
				serveOne(t, c, client)
				c.setState(http.StateActive)
				c.retire()
				x := newTestExchange(c, "/")
				c.begin(x, 1)
				test.play(x)
				c.end(x, true)
				go c.Read(make([]byte, test.size))
				synctest.Wait()
				if c.closing != test.want {
					t.Errorf("closing = %v, want %v", c.closing, test.want)
				}
			})
		})
	}
}
