package drain

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// errSelf is a connection that reached itself: on loopback, a dial to a closed port in
// the range of the source ports can be given that very port as its own, and TCP then
// connects the socket to itself.
var errSelf = errors.New("the connection reached itself: nobody listens")

// A dialer makes connections to the target.
type dialer struct {
	target  *target
	tls     *tls.Config // nil without TLS
	timeout time.Duration
}

func newDialer(t *target, cfg *Config) (*dialer, error) {
	d := &dialer{target: t, timeout: cfg.Timeout}
	if !t.https {
		return d, nil
	}
	d.tls = &tls.Config{
		ServerName:         t.name,
		InsecureSkipVerify: cfg.Insecure,
	}
	if cfg.Cert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("-cert and -key: %w", err)
		}
		d.tls.Certificates = []tls.Certificate{cert}
	}
	if cfg.CACert != "" {
		pem, err := os.ReadFile(cfg.CACert)
		if err != nil {
			return nil, fmt.Errorf("-cacert: %w", err)
		}
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("-cacert %s: the file contains no PEM certificate", cfg.CACert)
		}
	}
	return d, nil
}

// dialRaw connects without TLS, whatever the target's scheme.
func (d *dialer) dialRaw(ctx context.Context) (*conn, error) {
	nd := net.Dialer{Timeout: d.timeout, KeepAlive: -1}
	c, err := nd.DialContext(ctx, d.target.network(), d.target.addr)
	if err != nil {
		return nil, err
	}
	if d.target.unix == "" && c.LocalAddr().String() == c.RemoteAddr().String() {
		c.Close()
		return nil, fmt.Errorf("dial %s: %w", d.target.addr, errSelf)
	}
	raw := &countingConn{Conn: c}
	return &conn{raw: raw, Conn: raw, br: bufio.NewReader(raw)}, nil
}

// dial connects, with TLS if the target has it, offering the application protocol alpn.
func (d *dialer) dial(ctx context.Context, alpn string) (*conn, error) {
	c, err := d.dialRaw(ctx)
	if err != nil || d.tls == nil {
		return c, err
	}
	cfg := d.tls.Clone()
	cfg.NextProtos = []string{alpn}
	tc := tls.Client(c.raw, cfg)
	hctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if err := tc.HandshakeContext(hctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	c.Conn = tc
	c.tls = tc
	c.br.Reset(tc)
	return c, nil
}

// A conn is a connection to the target. It is used by one client; only Close may be
// called from elsewhere.
type conn struct {
	net.Conn               // what is read and written: raw, or TLS over it
	raw      *countingConn // the socket
	tls      *tls.Conn     // nil without TLS
	br       *bufio.Reader
	uses     int // requests sent so far
}

// send writes b and says whether any byte of it may have left. Under TLS it asks the
// socket: a Write that reports 0 bytes may have sent half a record.
func (c *conn) send(b []byte) (left bool, err error) {
	before := c.raw.written.Load()
	_, err = c.Write(b)
	return c.raw.written.Load() > before, err
}

// port is the local one, by which a capture knows the connection.
func (c *conn) port() int {
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok {
		return a.Port
	}
	return 0
}

// closedByPeer says whether the connection was closed, as far as this side can know. A
// careful client looks before it writes, so that what is counted as lost is what no
// client could have avoided.
func (c *conn) closedByPeer() bool {
	if c.br.Buffered() > 0 {
		// Bytes that no request asked for, such as a 408 before the close: do not send on
		// this connection.
		return true
	}
	switch peek(c.raw.Conn) {
	case peekClosed:
		return true
	case peekNothing:
		return false
	}
	if c.tls == nil {
		return true
	}
	// Under TLS it may be a session ticket or a close_notify. Reading tells which; the
	// deadline is for the ticket, after which nothing comes. On a busy machine it can
	// pass before anything was read, so the socket is asked again.
	defer c.SetReadDeadline(time.Time{})
	for wait := 2 * time.Millisecond; ; wait *= 4 {
		c.SetReadDeadline(time.Now().Add(wait))
		if _, err := c.br.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			return true
		}
		if state := peek(c.raw.Conn); state != peekData || wait > time.Second {
			return state != peekNothing
		}
	}
}

// A countingConn counts the bytes that were handed to the kernel, and those that came
// from it.
type countingConn struct {
	net.Conn
	written, read atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	return n, err
}

// isRefused says whether err means that nobody listens.
func isRefused(err error) bool {
	return errors.Is(err, errnoRefused) || errors.Is(err, errSelf) || errors.Is(err, os.ErrNotExist) // of a unix socket
}

// isReset says whether err means that the other side cut the connection.
func isReset(err error) bool {
	return errors.Is(err, errnoReset) || errors.Is(err, errnoPipe)
}

// isRefusal says whether a connection attempt that failed with err was turned away,
// rather than failed on its own.
func isRefusal(err error) bool {
	return isRefused(err) || isReset(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
