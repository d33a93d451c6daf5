package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// A kind of connection.
type kind struct {
	name    string
	request string
	status  int
	goodbye string // what its client is told before it ends
}

// The kinds of connections, by their place in arrivals.
const (
	webSocket = iota
	keepAlive
)

var kinds = [...]kind{
	webSocket: {
		name:    "WebSockets",
		request: "GET / HTTP/1.1\r\nHost: spread\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		status:  http.StatusSwitchingProtocols,
		goodbye: closeFrame,
	},
	keepAlive: {
		name:    "keep-alive",
		request: "GET / HTTP/1.1\r\nHost: spread\r\n\r\n",
		status:  http.StatusOK,
	},
}

// client has a connection, and an address of its own or a shared one.
type client struct {
	kind   int
	dialer net.Dialer
	conn   net.Conn
	read   *bufio.Reader
}

// newClient returns the client with the given number.
func newClient(i int, o options) *client {
	ip := i%o.addresses + 1
	c := &client{
		kind: webSocket,
		dialer: net.Dialer{
			LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(ip>>8), byte(ip))},
			Timeout:   10 * time.Second,
		},
	}
	if i >= o.websockets {
		c.kind = keepAlive
	}
	return c
}

// openAll opens all connections, and returns when each has had its response.
func openAll(ctx context.Context, addr string, o options) ([]*client, error) {
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	clients := make([]*client, o.websockets+o.keepAlive)
	var (
		wg   sync.WaitGroup
		once sync.Once
		err  error
		next = make(chan int)
	)
	for range 32 {
		wg.Go(func() {
			for i := range next {
				c := newClient(i, o)
				if e := c.open(ctx, addr); e != nil {
					once.Do(func() {
						err = fmt.Errorf("connection %d of %d: %w", i+1, len(clients), e)
						cancel()
					})
				}
				clients[i] = c
			}
		})
	}
	for i := range clients {
		next <- i
	}
	close(next)
	wg.Wait()
	return clients, err
}

// open connects, and reads the first response.
func (c *client) open(ctx context.Context, addr string) error {
	k := kinds[c.kind]
	conn, err := c.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	c.conn, c.read = conn, bufio.NewReader(conn)
	if _, err := io.WriteString(conn, k.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != k.status {
		return fmt.Errorf("response %s, want %d", resp.Status, k.status)
	}
	if k.status == http.StatusOK { // otherwise the body is what follows
		_, err = io.Copy(io.Discard, resp.Body)
	}
	return err
}

// moveAll lets the clients wait for the ends of their connections, and come back elsewhere.
// It sends the errors of those that were lost when all have come.
func moveAll(clients []*client, elsewhere string, deadline time.Time) <-chan []error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards lost
		lost []error
	)
	for _, c := range clients {
		c.conn.SetDeadline(deadline)
		wg.Go(func() {
			err := c.waitForEnd()
			if err == nil {
				err = c.comeBack(elsewhere)
			}
			if err != nil {
				mu.Lock()
				lost = append(lost, fmt.Errorf("%s: %w", kinds[c.kind].name, err))
				mu.Unlock()
			}
		})
	}
	done := make(chan []error, 1)
	go func() {
		wg.Wait()
		done <- lost
	}()
	return done
}

// waitForEnd waits for the end of the connection, and returns an error if its client was
// not told of it as it should.
func (c *client) waitForEnd() error {
	defer c.conn.Close()
	told, err := io.ReadAll(c.read)
	if err != nil {
		return err
	}
	if want := kinds[c.kind].goodbye; string(told) != want {
		return fmt.Errorf("it ended after %q, want %q", told, want)
	}
	return nil
}

// comeBack connects elsewhere.
func (c *client) comeBack(addr string) error {
	conn, err := c.dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(c.dialer.Timeout))
	if _, err := conn.Write([]byte{byte(c.kind)}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn) // until it has been counted
	return err
}
