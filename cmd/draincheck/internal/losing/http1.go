package losing

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

func (s *server) serveH1(c *conn) {
	for {
		if s.spec.Way == Unread && s.isDraining() && s.lose(s.spec.Victim == KeepAlive) {
			s.closeUnread(c, 1)
			return
		}
		req, err := http.ReadRequest(c.br)
		if err != nil {
			return
		}
		c.busy.Store(true)
		if req.Header.Get("Expect") != "" {
			fmt.Fprint(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if s.spec.Mute {
			io.Copy(io.Discard, c.br)
			return
		}
		if req.URL.Path == "/ready" {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.finish()
			return
		}
		s.count(func(st *Stats) { st.Received++ })
		switch req.URL.Path {
		case "/events":
			s.events(c)
			return
		case "/ws":
			s.webSocket(c, req)
			return
		case "/slow":
			s.slowly()
		}
		victim := KeepAlive
		if req.Close {
			victim = NewConn
		}
		if s.lose(s.spec.Way.atRequest() && victim == s.spec.Victim) {
			s.count(func(st *Stats) { st.Lost++ })
			s.loseH1(c)
			return
		}
		// One that is to be closed unread must not be told to leave.
		closing := req.Close || s.isDraining() && (s.spec.Way != Unread || s.remaining() == 0)
		// Only a client that pipelines has more in hand already.
		if s.spec.Way == Pipelined && c.br.Buffered() > 0 && s.lose(true) {
			closing = true
		}
		if !s.answer(c, closing) {
			return
		}
		if closing {
			c.finish()
			return
		}
	}
}

func (s *server) answer(c *conn, closing bool) bool {
	time.Sleep(s.spec.Latency)
	status := s.status()
	if s.spec.HTTP10 {
		s.count(func(st *Stats) { st.Answered++ })
		fmt.Fprintf(c, "HTTP/1.0 %d %s\r\n\r\nok", status, http.StatusText(status))
		c.finish()
		return false
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Length: 2\r\n", status, http.StatusText(status))
	if closing {
		b.WriteString("Connection: close\r\n")
	}
	b.WriteString("\r\nok")
	// Counted first: the client may have told its parent, and the parent have stopped us,
	// before this goes on.
	s.count(func(st *Stats) { st.Answered++ })
	_, err := c.Write(b.Bytes())
	return err == nil
}

func (s *server) loseH1(c *conn) {
	switch s.spec.Way {
	case Reset:
		c.reset()
	case EOF:
		c.finish()
	case HalfHeader:
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Le")
		c.finish()
	case Truncated:
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.")
		c.finish()
	case ChunkCut:
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nten bytes.\r\n")
		c.finish()
	case Silence:
		io.Copy(io.Discard, c.br)
	default:
		panic("no such way over HTTP/1.1: " + string(s.spec.Way))
	}
}

// events is a stream of server-sent events, one at its beginning.
func (s *server) events(c *conn) {
	s.count(func(st *Stats) { st.Answered++ })
	fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
	<-s.draining
	if !s.cut(s.spec.CutStreams) {
		fmt.Fprint(c, "0\r\n\r\n")
		c.finish()
		return
	}
	s.end(c, s.spec.CutStreams)
}

func (s *server) end(c *conn, way Way) {
	if way == Reset {
		c.reset()
		return
	}
	c.finish()
}

func (s *server) webSocket(c *conn, req *http.Request) {
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	s.count(func(st *Stats) { st.Answered++ })
	// A ping and a message, so that a client that cannot step over frames is found out.
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
		base64.StdEncoding.EncodeToString(sum[:]), "\x89\x02hi\x81\x7e\x00\x80"+strings.Repeat("x", 128))
	<-s.draining
	if !s.cut(s.spec.CutWebSockets) {
		fmt.Fprint(c, "\x88\x02\x03\xe9")
		c.finish()
		return
	}
	s.end(c, s.spec.CutWebSockets)
}
