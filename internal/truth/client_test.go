package truth

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// clientMost ends a client that hangs.
const clientMost = 20 * time.Second

// dial connects as mode m does.
func dial(m mode, addr net.Addr) (net.Conn, error) {
	// A client whose SYN the stop made the kernel ignore would try again in a second.
	c, err := net.DialTimeout("tcp", addr.String(), 200*ms)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(clientMost))
	if !m.tls {
		return c, nil
	}
	proto := "http/1.1"
	if m.h2 {
		proto = "h2"
	}
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
	if err := tc.Handshake(); err != nil {
		c.Close()
		return nil, err
	}
	return tc, nil
}

// playH1 sends the requests of a connection one after another, on a new one where
// the server closed it.
func playH1(m mode, addr net.Addr, seen []*seen) {
	var c net.Conn
	var br *bufio.Reader
	hangUp := func() {
		if c != nil {
			io.Copy(io.Discard, br) // the server closes first
			c.Close()
			c = nil
		}
	}
	defer hangUp()
	dialed := 0
	for _, s := range seen {
		time.Sleep(s.q.after)
		if c == nil {
			var err error
			if c, err = dial(m, addr); err != nil {
				c, s.err, s.over = nil, err, time.Now()
				return
			}
			br = bufio.NewReader(c)
			dialed++
		}
		s.dialed = dialed
		if !s.askH1(c, br) {
			hangUp()
		}
	}
}

// askH1 sends a request, reads its response and reports whether another may follow.
func (s *seen) askH1(c net.Conn, br *bufio.Reader) bool {
	defer func() { s.over = time.Now() }()
	method, head := http.MethodGet, "Host: truth\r\n\r\n"
	switch {
	case s.q.head:
		method = http.MethodHead
	case s.q.upload:
		// So much that net/http does not read all of it before it answers.
		method, head = http.MethodPost, "Host: truth\r\nContent-Length: 1000000\r\n\r\nbegin"
	}
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\n%s", method, s.q.path(), head); err != nil {
		s.err = err
		return false
	}
	s.sent = true
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		s.err = err
		return false
	}
	b, err := io.ReadAll(resp.Body)
	s.got, s.err, s.complete = len(b), err, err == nil
	return err == nil && !resp.Close && !s.q.upload
}

// The frames of RFC 9113, section 6, that the client looks at.
const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameRST      = 0x3
	frameSettings = 0x4
	framePing     = 0x6
	frameWindow   = 0x8

	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
)

// An h2Client sends requests on one connection and takes what comes.
type h2Client struct {
	c      net.Conn
	scheme byte
	br     *bufio.Reader

	mu   sync.Mutex // guards writes, and seen
	seen map[uint32]*seen
}

func playH2(m mode, addr net.Addr, all []*seen) {
	c, err := dial(m, addr)
	if err != nil {
		for _, s := range all {
			s.err, s.over = err, time.Now()
		}
		return
	}
	defer c.Close()
	h := &h2Client{c: c, scheme: 0x86, br: bufio.NewReader(c), seen: map[uint32]*seen{}}
	if m.tls {
		h.scheme = 0x87
	}
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	h.write(frameSettings, 0, 0, []byte{0, 4, 0, 0x10, 0, 0}) // INITIAL_WINDOW_SIZE
	h.write(frameWindow, 0, 0, []byte{0, 0x10, 0, 0})
	ended := make(chan struct{})
	go func() { defer close(ended); h.read() }()
	for i, s := range all {
		time.Sleep(s.q.after)
		h.ask(uint32(2*i+1), s)
	}
	<-ended
}

func (h *h2Client) write(kind, flags byte, stream uint32, payload []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), stream)
	_, err := h.c.Write(append(b, payload...))
	return err
}

func (h *h2Client) ask(stream uint32, s *seen) {
	h.mu.Lock()
	h.seen[stream] = s
	h.mu.Unlock()
	// HPACK: ":method" and ":scheme" by index where they have one, the others literally.
	b := []byte{0x82, h.scheme}
	switch {
	case s.q.head:
		b = append(append([]byte{0x02, 4}, "HEAD"...), h.scheme)
	case s.q.upload:
		b[0] = 0x83
	}
	path := s.q.path()
	b = append(append(b, 0x04, byte(len(path))), path...)
	b = append(append(b, 0x01, 5), "truth"...)
	flags := byte(flagEndHeaders)
	if !s.q.upload {
		flags |= flagEndStream
	}
	err := h.write(frameHeaders, flags, stream, b)
	if err == nil && s.q.upload {
		err = h.write(frameData, 0, stream, []byte("begin"))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		s.sent = true
	} else if s.err == nil {
		s.err = err
	}
}

// read takes frames until the server closes.
func (h *h2Client) read() {
	for {
		var head [9]byte
		_, err := io.ReadFull(h.br, head[:])
		payload := make([]byte, binary.BigEndian.Uint32(head[:4])>>8)
		if err == nil {
			_, err = io.ReadFull(h.br, payload)
		}
		if err != nil {
			h.mu.Lock()
			for _, s := range h.seen {
				if s.over.IsZero() {
					s.err, s.over = err, time.Now()
				}
			}
			h.mu.Unlock()
			return
		}
		h.take(head[3], head[4], binary.BigEndian.Uint32(head[5:])&(1<<31-1), payload)
	}
}

func (h *h2Client) take(kind, flags byte, stream uint32, payload []byte) {
	switch {
	case kind == frameSettings && flags&flagAck == 0:
		h.write(frameSettings, flagAck, 0, nil)
		return
	case kind == framePing && flags&flagAck == 0:
		h.write(framePing, flagAck, 0, payload)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.seen[stream]
	if s == nil || !s.over.IsZero() {
		return
	}
	if kind == frameData {
		s.got += len(payload)
	}
	switch {
	case kind == frameRST:
		s.err, s.over = fmt.Errorf("stream reset: %x", payload), time.Now()
	case (kind == frameData || kind == frameHeaders) && flags&flagEndStream != 0:
		// What is declared and not sent is an error of the client's (RFC 9113, 8.1.1).
		s.complete, s.over = s.enough(), time.Now()
		if !s.complete {
			s.err = fmt.Errorf("%d bytes of %d", s.got, total)
		}
	}
}

// enough reports whether what came is all that the script's response declares.
func (s *seen) enough() bool {
	// A 503 in place of a response, and an empty one, have no length or another one.
	return !s.q.declare || s.q.head || s.got == total || s.q.end == end503 && s.got == 0
}
