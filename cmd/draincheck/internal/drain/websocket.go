package drain

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// wsGUID is what RFC 6455, section 1.3, adds to the key.
const wsGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// The opcodes that a client has to answer.
const (
	wsClose = 0x8
	wsPing  = 0x9
	wsPong  = 0xA
)

// A wsClient holds WebSockets. It sends nothing on its own: it answers pings, and answers
// a Close frame with one of its own.
type wsClient struct {
	holder
	host    string
	path    string
	header  http.Header
	timeout time.Duration
}

func (w *wsClient) hold(ctx context.Context) {
	c, err := w.dialer.dial(w.gate.dialing, "http/1.1")
	if err != nil {
		w.rec.dialFailed(err)
		return
	}
	defer c.Close()
	stop := wakeWhenOverdue(ctx, w.gate.over, c)
	defer stop()

	var nonce [16]byte
	rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	upgrade := requestBytes(http.MethodGet, w.path, w.host, w.header, "",
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: "+key)
	resp, q, ok := c.ask(w.member, upgrade, http.MethodGet, w.timeout)
	if !ok {
		return
	}
	q.answered(time.Now(), resp.StatusCode, false)
	if !w.checkStatus("WebSocket", w.path, resp.StatusCode, http.StatusSwitchingProtocols) {
		return
	}
	sum := sha1.Sum([]byte(key + wsGUID))
	if got := strings.TrimSpace(resp.Header.Get("Sec-WebSocket-Accept")); got != base64.StdEncoding.EncodeToString(sum[:]) {
		w.rec.broken(fmt.Errorf("WebSocket %s: wrong Sec-WebSocket-Accept %q", w.path, got))
		return
	}
	w.rec.opened()
	w.arm()
	w.rec.endedAs(c.readFrames(w.timeout), false)
}

// readFrames reads WebSocket frames until the end.
func (c *conn) readFrames(timeout time.Duration) ending {
	for {
		op, payload, err := c.readFrame()
		if err != nil {
			return endingOf(err)
		}
		switch op {
		case wsPing:
			err = c.writeFrame(wsPong, payload)
		case wsClose:
			// The server said goodbye. Answer it, and give the server time to close
			// first, as RFC 6455, section 7.1.1, requires.
			if len(payload) > 2 {
				payload = payload[:2]
			}
			if c.writeFrame(wsClose, payload) == nil {
				timer := time.AfterFunc(min(timeout, overdue), func() { c.SetDeadline(time.Now()) })
				io.Copy(io.Discard, c.br)
				timer.Stop()
			}
			return politely
		}
		if err != nil {
			return endingOf(err)
		}
	}
}

// readFrame reads one frame. It keeps the payload of control frames only.
func (c *conn) readFrame() (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.br, head[:]); err != nil {
		return 0, nil, err
	}
	op = head[0] & 0xF
	n := uint64(head[1] & 0x7F)
	switch n {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(c.br, b[:]); err != nil {
			return 0, nil, err
		}
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(c.br, b[:]); err != nil {
			return 0, nil, err
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	if op < 0x8 || n > 125 {
		_, err := io.CopyN(io.Discard, c.br, int64(min(n, 1<<62)))
		return op & 0x7, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.br, payload)
	return op, payload, err
}

// writeFrame writes a control frame, masked, as a client must. A mask of zeros is
// allowed.
func (c *conn) writeFrame(op byte, payload []byte) error {
	frame := append([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
	_, err := c.Write(frame)
	return err
}
