package drain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// errGone means that no stream can be opened on a connection any more. Nothing was sent.
var errGone = errors.New("the HTTP/2 connection takes no more streams")

// recvWindow is how much the server may send ahead: as much as possible, since nothing is
// kept here.
const recvWindow = 1 << 30

// How a stream ended.
type streamEnd int

const (
	endComplete streamEnd = iota // with END_STREAM
	endRefused                   // the server says that it did not process it
	endReset                     // RST_STREAM, or a connection that was reset
	endEOF                       // the connection ended
	endTimeout                   // this side gave up
)

// An h2conn is an HTTP/2 connection, made of frames so that nothing is retried, and so
// that everything said about each stream is known.
//
// One goroutine reads. What a frame says about a stream is written into the stream and
// its done channel closed; the accounts are kept by whoever opened the stream.
type h2conn struct {
	c       *conn
	timeout time.Duration
	settled chan struct{} // closed when the server's first SETTINGS were read
	dead    chan struct{} // closed when the reader has ended

	wmu    sync.Mutex // guards what follows, and is taken before mu
	fr     *http2.Framer
	enc    *hpack.Encoder
	encBuf bytes.Buffer
	nextID uint32

	mu           sync.Mutex // guards what follows
	windows      *sync.Cond // on mu: windows, a stream or the connection changed
	streams      map[uint32]*h2stream
	gone         bool // GOAWAY was read, or the reader has ended, or Close was called
	connWindow   int64
	initWindow   int64
	maxFrame     int
	maxStreams   uint32
	tableSize    uint32 // of header compression, as the server wants it
	tableChanged bool
	goAwayCode   http2.ErrCode
	sawGoAway    bool
	sawSettings  bool
	lastErr      error     // why the reader ended
	lastFrame    time.Time // when the last frame was read
}

// An h2stream is one request and its response.
type h2stream struct {
	id   uint32
	head chan struct{} // closed when the response header was read
	done chan struct{} // closed when the stream has ended

	// Guarded by h2conn.mu until done is closed.
	status   int
	headRead bool
	end      streamEnd
	err      error
	at       time.Time
	opened   time.Time
	sent     int64 // bytes of its frames
	received int64
	unread   bool // the connection was closed with bytes unread, and nothing came after this was sent
	window   int64
	grpc     int   // grpc-status, -1 if none came
	want     int64 // what content-length says, -1 if it says nothing
	got      int64
	noBody   bool // the response to a HEAD request: content-length says nothing about it
}

// newH2 makes c an HTTP/2 connection and waits for the server's SETTINGS.
func newH2(ctx context.Context, c *conn, timeout time.Duration) (*h2conn, error) {
	h := &h2conn{
		c:          c,
		timeout:    timeout,
		settled:    make(chan struct{}),
		dead:       make(chan struct{}),
		nextID:     1,
		streams:    make(map[uint32]*h2stream),
		connWindow: 65535,
		initWindow: 65535,
		maxFrame:   16384,
		maxStreams: 1 << 30,
	}
	h.windows = sync.NewCond(&h.mu)
	h.enc = hpack.NewEncoder(&h.encBuf)
	h.fr = http2.NewFramer(c, c.br)
	h.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)

	c.SetDeadline(time.Now().Add(timeout))
	var hello bytes.Buffer
	hello.WriteString(http2.ClientPreface)
	hf := http2.NewFramer(&hello, nil)
	hf.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: recvWindow})
	hf.WriteWindowUpdate(0, recvWindow-65535)
	if _, err := c.Write(hello.Bytes()); err != nil {
		c.Close()
		return nil, fmt.Errorf("HTTP/2 preface: %w", err)
	}
	go h.read()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var err error
	select {
	case <-h.settled:
		c.SetDeadline(time.Time{})
		return h, nil
	case <-h.dead:
		err = fmt.Errorf("HTTP/2 SETTINGS: %w", h.readErr())
	case <-timer.C:
		err = errors.New("HTTP/2 SETTINGS: timeout")
	case <-ctx.Done():
		err = ctx.Err()
	}
	h.close()
	return nil, err
}

func (h *h2conn) readErr() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lastErr
}

// close ends the connection and waits for its reader.
func (h *h2conn) close() {
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
	h.c.Close()
	<-h.dead
}

// usable says whether a stream may be opened.
func (h *h2conn) usable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.gone
}

// cancel gives a stream up, unless it has ended.
func (h *h2conn) cancel(st *h2stream, err error) {
	h.mu.Lock()
	mine := h.finishLocked(st, endTimeout, err)
	h.mu.Unlock()
	if mine {
		var out bytes.Buffer
		http2.NewFramer(&out, nil).WriteRSTStream(st.id, http2.ErrCodeCancel)
		_ = h.write(out.Bytes())
	}
}

// finishLocked ends a stream, unless it has ended.
func (h *h2conn) finishLocked(st *h2stream, end streamEnd, err error) bool {
	if h.streams[st.id] != st {
		return false
	}
	delete(h.streams, st.id)
	st.end, st.err, st.at = end, err, time.Now()
	close(st.done)
	h.windows.Broadcast()
	return true
}

// unanswered is what is known of a stream that ended without an answer.
func (st *h2stream) unanswered(c *conn) unanswered {
	return unanswered{err: st.err, port: c.port(), stream: st.id, accepted: true, unread: st.unread, begun: st.headRead,
		status: st.status, sent: st.sent, received: st.received}
}
