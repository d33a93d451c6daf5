package fxshutdown_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// benchClient sends one request again and again and reads as many bytes as the first
// response had, without an allocation of its own.
type benchClient struct {
	net.Conn
	buf  []byte
	size int
}

var benchRequest = []byte("POST /path HTTP/1.1\r\nHost: bench\r\nContent-Length: 5\r\n\r\nhello")

func dialBench(addr string) (*benchClient, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &benchClient{Conn: conn, buf: make([]byte, 4<<10)}
	if _, err := c.Write(benchRequest); err != nil {
		return nil, err
	}
	for !bytes.HasSuffix(c.buf[:c.size], []byte("hello, world")) {
		n, err := c.Read(c.buf[c.size:])
		if err != nil {
			return nil, err
		}
		c.size += n
	}
	return c, nil
}

func (c *benchClient) roundTrip() error {
	if _, err := c.Write(benchRequest); err != nil {
		return err
	}
	_, err := io.ReadFull(c, c.buf[:c.size])
	return err
}

// benchHTTP2 returns a certificate and a client that trusts it.
func benchHTTP2(b *testing.B) (*tls.Certificate, *http.Transport) {
	b.Helper()
	return &certificate, &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: rootCAs, ServerName: "localhost"},
		ForceAttemptHTTP2: true,
	}
}

func http2RoundTrip(tr *http.Transport, addr string) error {
	req, err := http.NewRequest(http.MethodPost, "https://"+addr+"/path", bytes.NewReader([]byte("hello")))
	if err != nil {
		return err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// clientsElsewhere makes n connections of a kind from a process of its own, and returns
// when they are made. So their memory and processor time do not count as the server's.
// Also, on many machines a process may not have enough descriptors for both ends of
// 10,000 connections. end lets the process finish, and fails the benchmark if a client
// got no answer.
func clientsElsewhere(b *testing.B, kind, addr string, n int) (end func()) {
	b.Helper()
	cmd, in, out := startSelf(b, fmt.Sprintf("%s=%s %s %d", clientsEnv, kind, addr, n))
	if _, err := io.ReadFull(out, make([]byte, len(clientsReady))); err != nil {
		b.Fatalf("the process with the clients: %v", errors.Join(err, cmd.Wait()))
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Errorf("the process with the clients: %v", err)
		}
	}
}

// startSelf starts this binary again, as a process of its own with one more variable in
// its environment.
func startSelf(t testing.TB, variable string, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out io.ReadCloser) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self, args...)
	cmd.Env = append(os.Environ(), variable)
	cmd.Stderr = os.Stderr
	if in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, out
}

const (
	clientsEnv   = "FXSHUTDOWN_BENCH_CLIENTS"
	clientsReady = "ready"

	idleHTTP1 = "idle-http1" // had a response each
	idleHTTP2 = "idle-http2" // the same, and close when they are sent GOAWAY
	busyHTTP1 = "busy-http1" // have sent a request each, and read until the end
	dripHTTP1 = "drip-http1" // send a byte of a header now and then
	dripTLS   = "drip-tls"   // send a byte of a TLS handshake now and then
)

// init is the other process of clientsElsewhere.
func init() {
	var kind, addr string
	var n int
	if _, err := fmt.Sscan(os.Getenv(clientsEnv), &kind, &addr, &n); err != nil {
		return
	}
	if err := beClients(kind, addr, n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func beClients(kind, addr string, n int) error {
	finish := func() error { return nil }
	switch kind {
	case idleHTTP1:
		conns := make([]*benchClient, n)
		for i := range conns {
			c, err := dialBench(addr)
			if err != nil {
				return err
			}
			conns[i] = c
		}
		defer runtime.KeepAlive(conns)
	case idleHTTP2:
		sessions := tls.NewLRUClientSessionCache(1) // a full handshake for each would take long
		transports := make([]*http.Transport, n)
		for i := range transports {
			transports[i] = &http.Transport{
				TLSClientConfig: &tls.Config{
					InsecureSkipVerify: true, ServerName: "bench", ClientSessionCache: sessions,
				},
				ForceAttemptHTTP2: true,
			}
			if err := http2RoundTrip(transports[i], addr); err != nil {
				return err
			}
		}
		defer runtime.KeepAlive(transports)
	case busyHTTP1:
		answers := make(chan error, n)
		for range n {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			if _, err := c.Write(benchRequest); err != nil {
				return err
			}
			go func() { answers <- readAnswer(c) }()
		}
		finish = func() (err error) {
			for range n {
				err = errors.Join(err, <-answers)
			}
			return err
		}
	case dripHTTP1, dripTLS:
		begin, more := "GET / HTTP/1.1\r\nX: ", "x"
		if kind == dripTLS {
			begin, more = "\x16\x03\x01\x40\x00", "\x01" // a record of 16 KiB
		}
		conns := make([]net.Conn, n)
		for i := range conns {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(c, begin); err != nil {
				return err
			}
			conns[i] = c
		}
		for _, c := range conns {
			go dripBytes(c, more)
		}
	}
	fmt.Print(clientsReady)
	_, err := io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, finish())
}

// readAnswer reads to the end of a connection, where the answer must be.
func readAnswer(c net.Conn) error {
	defer c.Close()
	text, err := io.ReadAll(c)
	if err == nil && !bytes.HasSuffix(text, []byte("hello, world")) {
		err = fmt.Errorf("a client got the answer %q", text)
	}
	return err
}

// dripBytes sends text every 50 to 200 ms until the connection has ended.
func dripBytes(c net.Conn, text string) {
	defer c.Close()
	for {
		time.Sleep(50*time.Millisecond + rand.N(150*time.Millisecond))
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}
