package steady

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

var request = []byte("POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 5\r\n\r\nhello")

// What each response ends with.
var body = []byte("hello, world\n")

// A client sends one request again and again and reads as many bytes as the first response had, so that it costs
// little beside the server.
type client struct {
	net.Conn
	addr string
	buf  []byte
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, addr: addr, buf: make([]byte, 0, 4096)}
	// For as long as a measurement may take.
	c.SetDeadline(time.Now().Add(time.Minute))
	if err := c.first(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// first learns how long a response is.
func (c *client) first() error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	for !bytes.HasSuffix(c.buf, body) {
		n, err := c.Read(c.buf[len(c.buf):cap(c.buf)])
		if err != nil {
			return fmt.Errorf("after %q: %w", c.buf, err)
		}
		c.buf = c.buf[:len(c.buf)+n]
	}
	return nil
}

func (c *client) roundTrip() error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, c.buf); err != nil || bytes.HasSuffix(c.buf, body) {
		return err
	}
	return c.dialAgain()
}

// dialAgain is for a response that is longer than the first one: it said that the connection ends.
func (c *client) dialAgain() error {
	rest, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if text := string(c.buf) + string(rest); !strings.Contains(text, "\r\nConnection: close\r\n") || !strings.HasSuffix(text, string(body)) {
		return fmt.Errorf("unexpected response %q", text)
	}
	c.Close()
	next, err := dial(c.addr)
	if err != nil {
		return err
	}
	*c = *next
	return nil
}

func dialN(addr string, n int) (clients []*client, err error) {
	for range n {
		c, err := dial(addr)
		if err != nil {
			closeAll(clients)
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func closeAll(clients []*client) {
	for _, c := range clients {
		c.Close()
	}
}

// ask asks the server what it uses: bytes at /memory, microseconds at /cpu.
func ask(addr, path string) (float64, error) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + path)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
}
