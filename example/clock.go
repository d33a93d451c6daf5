package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"net"
	"net/http"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The frames that clock sends (RFC 6455, section 5). A real service would use
// a library; what matters here is when the closing frame is sent.
const (
	textFrame   = 0x81
	closeFrame  = 0x88
	maskBit     = 0x80
	goingAway   = 1001
	closingTime = time.Second
)

// clock is a WebSocket that sends the time and closes properly when the drain begins.
func (a *api) clock(w http.ResponseWriter, r *http.Request) {
	draining := fxshutdown.Draining(r.Context())
	key := r.Header.Get("Sec-WebSocket-Key")
	if key == "" {
		http.Error(w, "this is a WebSocket", http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotImplemented) // on HTTP/2
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))

	gone := make(chan struct{})
	go func() {
		defer close(gone)
		awaitClose(rw.Reader)
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if !send(conn, textFrame, []byte(now.Format(time.TimeOnly))) {
				return
			}
		case <-draining:
			send(conn, closeFrame, []byte{goingAway >> 8, goingAway & 0xff})
			// The client answers with a closing frame of its own.
			select {
			case <-gone:
			case <-time.After(closingTime):
			}
			return
		case <-gone:
			send(conn, closeFrame, nil)
			return
		}
	}
}

func send(conn net.Conn, kind byte, payload []byte) bool {
	conn.SetWriteDeadline(time.Now().Add(closingTime))
	_, err := conn.Write(append([]byte{kind, byte(len(payload))}, payload...))
	return err == nil
}

// awaitClose reads short frames until one closes the connection, or it breaks.
func awaitClose(r *bufio.Reader) {
	for {
		var head [2]byte
		for i := range head {
			b, err := r.ReadByte()
			if err != nil {
				return
			}
			head[i] = b
		}
		size := int(head[1] &^ maskBit)
		if head[1]&maskBit != 0 {
			size += 4
		}
		if _, err := r.Discard(size); err != nil || head[0] == closeFrame {
			return
		}
	}
}
