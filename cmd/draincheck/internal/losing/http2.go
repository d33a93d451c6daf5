package losing

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An h2session is an HTTP/2 connection.
type h2session struct {
	s *server
	c *conn

	mu       sync.Mutex // guards what follows
	fr       *http2.Framer
	enc      *hpack.Encoder
	buf      bytes.Buffer
	held     []uint32 // streams that were read and neither answered nor given up
	events   []uint32 // event streams
	last     uint32   // the highest stream read
	told     bool     // GOAWAY was sent, or the connection reset
	answered bool     // see takeAnswered
	ignored  bool     // streams that come now are above GOAWAY's
}

func (s *server) serveH2(c *conn) {
	if _, err := io.CopyN(io.Discard, c.br, int64(len(http2.ClientPreface))); err != nil {
		return
	}
	h := &h2session{s: s, c: c, fr: http2.NewFramer(c, c.br)}
	table := uint32(4096)
	if s.spec.HeaderTable != nil {
		table = *s.spec.HeaderTable
	}
	h.fr.ReadMetaHeaders = hpack.NewDecoder(table, nil)
	h.enc = hpack.NewEncoder(&h.buf)
	h.mu.Lock()
	h.fr.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: table})
	h.mu.Unlock()

	gone := make(chan struct{})
	defer close(gone)
	s.conns.Go(func() {
		select {
		case <-s.draining:
			h.mu.Lock()
			h.drainLocked()
			h.mu.Unlock()
		case <-gone:
		}
	})
	paths := map[uint32]string{}
	for {
		// Right behind an answer nothing has been read ahead, by TLS for one.
		answered := h.takeAnswered()
		if s.spec.Way == Unread && s.isDraining() {
			if answered && s.lose(true) {
				// More than frames that are no request.
				s.closeUnread(c, unreadRequest)
				return
			}
			h.mu.Lock()
			h.drainLocked()
			h.mu.Unlock()
		}
		f, err := h.fr.ReadFrame()
		if err != nil {
			return
		}
		h.mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				h.fr.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				h.fr.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			c.busy.Store(true)
			paths[f.StreamID] = f.PseudoValue("path")
			if f.StreamEnded() {
				h.requestLocked(f.StreamID, paths[f.StreamID])
			}
		case *http2.DataFrame:
			if n := f.Header().Length; n > 0 {
				h.fr.WriteWindowUpdate(0, n)
			}
			if f.StreamEnded() {
				h.requestLocked(f.StreamID, paths[f.StreamID])
			}
		}
		h.mu.Unlock()
	}
}

// takeAnswered says whether a request was answered since it was asked last.
func (h *h2session) takeAnswered() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	answered := h.answered
	h.answered = false
	return answered
}

// requestLocked deals with a request that was read to its end.
func (h *h2session) requestLocked(id uint32, path string) {
	s := h.s
	if h.ignored {
		return
	}
	s.count(func(st *Stats) { st.Received++ })
	h.last = max(h.last, id)
	if path == "/events" {
		s.count(func(st *Stats) { st.Answered++ })
		h.headersLocked(id, false, hpack.HeaderField{Name: "content-type", Value: "text/event-stream"})
		h.fr.WriteData(id, false, []byte("data: 1\n\n"))
		h.events = append(h.events, id)
		return
	}
	switch s.spec.Way {
	case StreamReset, StreamRefused, StreamTruncated:
		if s.lose(true) {
			h.loseLocked(id)
			return
		}
	case BelowGoAway, AboveGoAway, ConnReset:
		if s.isDraining() && !h.told {
			h.held = append(h.held, id)
			h.drainLocked()
			return
		}
	}
	if path == "/slow" {
		// GOAWAY may be sent meanwhile; it names this stream as processed.
		s.conns.Go(func() {
			s.slowly()
			h.mu.Lock()
			defer h.mu.Unlock()
			h.answerLocked(id)
		})
		return
	}
	h.answerLocked(id)
}

func (h *h2session) loseLocked(id uint32) {
	switch h.s.spec.Way {
	case StreamReset:
		h.s.count(func(st *Stats) { st.Lost++ })
		h.fr.WriteRSTStream(id, http2.ErrCodeInternal)
	case StreamRefused:
		h.s.count(func(st *Stats) { st.Refused++ })
		h.fr.WriteRSTStream(id, http2.ErrCodeRefusedStream)
	case StreamTruncated:
		h.s.count(func(st *Stats) { st.Lost++ })
		h.headersLocked(id, false, hpack.HeaderField{Name: "content-length", Value: "100"})
		h.fr.WriteData(id, true, []byte("ten bytes."))
	}
}

// drainLocked says goodbye. The ways that lose something in it wait until all requests
// that the client sends at a time are there, so that it is known how many are lost.
func (h *h2session) drainLocked() {
	s := h.s
	if h.told || s.spec.Way == Unread && s.remaining() > 0 {
		return
	}
	for _, id := range h.events {
		if s.cut(s.spec.CutStreams) {
			h.fr.WriteRSTStream(id, http2.ErrCodeInternal)
		} else {
			h.fr.WriteData(id, true, nil)
		}
	}
	h.events = nil
	victim := s.spec.Way == BelowGoAway || s.spec.Way == AboveGoAway || s.spec.Way == ConnReset
	if !victim {
		h.goAwayLocked(h.last)
		return
	}
	if len(h.held) < s.spec.Concurrency {
		return
	}
	slices.Sort(h.held)
	kept, lost := h.held, h.held[len(h.held):]
	s.mu.Lock()
	n := min(s.left, len(h.held))
	if s.spec.Way == ConnReset && s.left > 0 {
		n = len(h.held)
	}
	s.left = max(s.left-n, 0)
	if s.spec.Way == AboveGoAway {
		s.stats.Refused += n
	} else {
		s.stats.Lost += n
	}
	s.mu.Unlock()
	if n > 0 {
		kept, lost = h.held[:len(h.held)-n], h.held[len(h.held)-n:]
	}
	h.held = nil
	switch {
	case s.spec.Way == ConnReset && n > 0:
		h.told, h.ignored = true, true
		h.c.reset()
		return
	case s.spec.Way == AboveGoAway && n > 0:
		h.goAwayLocked(lost[0] - 2)
	default:
		h.goAwayLocked(h.last)
	}
	for _, id := range kept {
		h.answerLocked(id)
	}
	if n > 0 {
		// The client waits for what was promised; the end of the connection tells it that
		// nothing comes.
		h.c.tcp.CloseWrite()
	}
}

func (h *h2session) goAwayLocked(last uint32) {
	h.told, h.ignored = true, true
	h.fr.WriteGoAway(last, http2.ErrCodeNo, nil)
}

func (h *h2session) answerLocked(id uint32) {
	h.answered = true
	h.s.count(func(st *Stats) { st.Answered++ })
	if code := h.s.spec.GRPC; code != nil {
		h.headersLocked(id, false, hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
		h.fr.WriteData(id, false, make([]byte, 5))
		h.trailersLocked(id, hpack.HeaderField{Name: "grpc-status", Value: strconv.Itoa(*code)})
		return
	}
	h.headersLocked(id, false, hpack.HeaderField{Name: "content-length", Value: "2"})
	h.fr.WriteData(id, true, []byte("ok"))
}

func (h *h2session) headersLocked(id uint32, end bool, fields ...hpack.HeaderField) {
	h.buf.Reset()
	h.enc.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(h.s.status())})
	h.writeLocked(id, end, fields...)
}

func (h *h2session) trailersLocked(id uint32, fields ...hpack.HeaderField) {
	h.buf.Reset()
	h.writeLocked(id, true, fields...)
}

func (h *h2session) writeLocked(id uint32, end bool, fields ...hpack.HeaderField) {
	for _, f := range fields {
		h.enc.WriteField(f)
	}
	h.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: h.buf.Bytes(), EndHeaders: true, EndStream: end})
}
