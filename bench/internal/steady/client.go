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

// A client sends one request again and again and reads as many bytes as the first response had, so that it costs
// little beside the server.
type client struct {
	net.Conn
	buf []byte
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, buf: make([]byte, 0, 4096)}
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
	for !bytes.HasSuffix(c.buf, []byte("hello, world\n")) {
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
	_, err := io.ReadFull(c, c.buf)
	return err
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
