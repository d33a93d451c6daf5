package fxshutdown_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
)

// The frames of RFC 9113, section 6, that tests look at.
const (
	frameData      = 0x0
	frameHeaders   = 0x1
	frameRSTStream = 0x3
	frameSettings  = 0x4
	framePing      = 0x6
	frameGoAway    = 0x7

	frameWindowUpdate = 0x8

	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
)

// A frame is an HTTP/2 frame.
type frame struct {
	kind    byte
	flags   byte
	stream  uint32
	payload []byte
}

// ended reports that the frame is the last of its stream.
func (f frame) ended() bool {
	return (f.kind == frameData || f.kind == frameHeaders) && f.flags&flagEndStream != 0
}

// An h2Conn is an HTTP/2 client that sends the frames it is told.
type h2Conn struct {
	net.Conn
	t      testing.TB
	br     *bufio.Reader
	scheme byte

	settings map[uint16]uint32 // the server's, read by rawH2

	wmu sync.Mutex // guards writes
}

// rawH2 opens an HTTP/2 connection and exchanges settings.
func (s *server) rawH2() *h2Conn {
	s.t.Helper()
	c := &h2Conn{Conn: s.socket(), t: s.t, scheme: 0x86, settings: map[uint16]uint32{}}
	if s.mode.tls {
		tc := tls.Client(c.Conn, &tls.Config{RootCAs: rootCAs, ServerName: "localhost", NextProtos: []string{"h2"}})
		if err := tc.Handshake(); err != nil {
			s.t.Fatalf("handshake: %v", err)
		}
		c.Conn, c.scheme = tc, 0x87
	}
	s.t.Cleanup(func() { c.Close() })
	c.br = bufio.NewReader(c)
	// A pipe has no buffer, so the server's settings are read meanwhile. Their
	// acknowledgement must not overtake the preface.
	sent := make(chan error, 1)
	c.wmu.Lock()
	go func() {
		defer c.wmu.Unlock()
		_, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		sent <- err
	}()
	c.until(func(f frame) bool { return f.kind == frameSettings && f.flags&flagAck != 0 })
	if err := <-sent; err != nil {
		s.t.Fatalf("preface: %v", err)
	}
	return c
}

// write writes a frame.
func (c *h2Conn) write(f frame) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(f.payload))<<8|uint32(f.kind))
	b = append(b, f.flags)
	b = binary.BigEndian.AppendUint32(b, f.stream)
	_, err := c.Write(append(b, f.payload...))
	return err
}

// get sends a GET request on stream.
func (c *h2Conn) get(stream uint32, path string) {
	c.t.Helper()
	// HPACK: ":method: GET" and ":scheme" by index, ":path" and ":authority" literally.
	b := []byte{0x82, c.scheme, 0x04, byte(len(path))}
	b = append(b, path...)
	b = append(append(b, 0x01, 9), "localhost"...)
	if err := c.write(frame{frameHeaders, flagEndStream | flagEndHeaders, stream, b}); err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
}

// getWhole sends a GET request on stream, and reads to the end of its response.
func (c *h2Conn) getWhole(stream uint32, path string) {
	c.t.Helper()
	c.get(stream, path)
	c.until(func(f frame) bool { return f.stream == stream && f.ended() })
}

// reset resets stream.
func (c *h2Conn) reset(stream uint32) {
	c.t.Helper()
	if err := c.write(frame{frameRSTStream, 0, stream, []byte{0, 0, 0, 8}}); err != nil {
		c.t.Fatalf("reset: %v", err)
	}
}

// fillWithPings sends PINGs, whose answers nobody reads: more than a pipe holds, and fewer
// than net/http puts up with.
func (c *h2Conn) fillWithPings() {
	c.t.Helper()
	for range flowSize/17 + 1000 {
		if err := c.write(frame{kind: framePing, payload: make([]byte, 8)}); err != nil {
			c.t.Fatalf("PING: %v", err)
		}
	}
}

// read reads a frame, and acknowledges settings and pings.
func (c *h2Conn) read() (frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[3], flags: head[4], stream: binary.BigEndian.Uint32(head[5:]) & (1<<31 - 1)}
	f.payload = make([]byte, binary.BigEndian.Uint32(head[:4])>>8)
	if _, err := io.ReadFull(c.br, f.payload); err != nil {
		return frame{}, fmt.Errorf("frame cut off: %w", err)
	}
	if f.kind == frameSettings {
		for p := f.payload; len(p) >= 6; p = p[6:] {
			c.settings[binary.BigEndian.Uint16(p)] = binary.BigEndian.Uint32(p[2:])
		}
	}
	if (f.kind == frameSettings || f.kind == framePing) && f.flags&flagAck == 0 {
		ack := frame{kind: f.kind, flags: flagAck}
		if f.kind == framePing {
			ack.payload = f.payload
		}
		go c.write(ack) // A pipe has no buffer, and the server may be writing.
	}
	return f, nil
}

// until reads frames until one is the wanted one.
func (c *h2Conn) until(want func(frame) bool) frame {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatalf("HTTP/2 connection: %v before the wanted frame", err)
		}
		if want(f) {
			return f
		}
	}
}

// untilClosed reads until the server closes the connection, and returns the frames.
func (c *h2Conn) untilClosed() []frame {
	c.t.Helper()
	var all []frame
	for {
		f, err := c.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.t.Errorf("HTTP/2 connection is still open: %v", err)
		}
		if err != nil {
			return all
		}
		all = append(all, f)
	}
}
