package drain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// errGone means that no stream can be opened on a connection any more. Nothing was sent.
var errGone = errors.New("the HTTP/2 connection takes no more streams")

// recvWindow is how much the server may send ahead: as much as there is, since nothing here is kept.
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

// An h2conn is an HTTP/2 connection, made of frames so that nothing is retried, and so that it is known of each
// stream what was said about it.
//
// One goroutine reads. What a frame says about a stream is written into the stream and its done channel closed; the
// accounts are kept by whoever opened the stream.
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

	mu          sync.Mutex // guards what follows
	windows     *sync.Cond // on mu: windows, a stream or the connection changed
	streams     map[uint32]*h2stream
	gone        bool // GOAWAY was read, or the reader has ended, or Close was called
	connWindow  int64
	initWindow  int64
	maxFrame    int
	maxStreams  uint32
	goAwayCode  http2.ErrCode
	sawGoAway   bool
	sawSettings bool
	lastErr     error // why the reader ended
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
	window   int64
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

// open sends a request. sent is called right before its first byte is written and unsent if, after all, no byte left,
// in which case the error is errGone. With any other outcome the stream's end comes through done.
func (h *h2conn) open(fields []hpack.HeaderField, body string, sent, unsent func()) (*h2stream, error) {
	st := &h2stream{head: make(chan struct{}), done: make(chan struct{}), want: -1}
	st.noBody = fields[0].Value == http.MethodHead

	h.wmu.Lock()
	// A server that closes without GOAWAY is noticed here rather than by losing the request.
	cut := peek(h.c.raw.Conn) == peekClosed
	h.mu.Lock()
	// Asked with the lock held that makes the stream known: a GOAWAY that is read in between would pass it over, and
	// nobody would ever end it.
	if h.gone || cut {
		h.mu.Unlock()
		h.wmu.Unlock()
		return nil, errGone
	}
	st.id = h.nextID
	h.nextID += 2
	st.window = h.initWindow
	h.streams[st.id] = st
	// A small body goes out with its header in one piece, so that a request is sent or not.
	whole := int64(len(body)) <= min(st.window, h.connWindow, int64(h.maxFrame))
	if whole {
		st.window -= int64(len(body))
		h.connWindow -= int64(len(body))
	}
	maxFrame := h.maxFrame
	h.mu.Unlock()

	h.encBuf.Reset()
	for _, f := range fields {
		h.enc.WriteField(f)
	}
	var out bytes.Buffer
	w := http2.NewFramer(&out, nil)
	block := h.encBuf.Bytes()
	first := block[:min(len(block), maxFrame)]
	rest := block[len(first):]
	w.WriteHeaders(http2.HeadersFrameParam{
		StreamID: st.id, BlockFragment: first, EndHeaders: len(rest) == 0, EndStream: body == "",
	})
	for len(rest) > 0 {
		part := rest[:min(len(rest), maxFrame)]
		rest = rest[len(part):]
		w.WriteContinuation(st.id, len(rest) == 0, part)
	}
	if whole && body != "" {
		w.WriteData(st.id, true, []byte(body))
	}
	sent()
	h.c.SetWriteDeadline(time.Now().Add(h.timeout))
	left, err := h.c.send(out.Bytes())
	h.wmu.Unlock()
	if !left {
		h.mu.Lock()
		_, mine := h.streams[st.id]
		delete(h.streams, st.id)
		h.gone = true
		h.mu.Unlock()
		if mine {
			// Nothing can come for it; whoever waits is told all the same.
			close(st.done)
		}
		unsent()
		h.c.Close()
		return nil, errGone
	}
	if err == nil && !whole {
		h.sendBody(st, body)
	}
	// After a failed write the reader still decides: GOAWAY may say that the stream was not processed.
	return st, nil
}

// sendBody sends a body that does not fit into one frame or window, for as long as somebody wants it.
func (h *h2conn) sendBody(st *h2stream, body string) {
	expire := time.AfterFunc(h.timeout, func() { h.windows.Broadcast() })
	defer expire.Stop()
	deadline := time.Now().Add(h.timeout)
	for len(body) > 0 {
		h.mu.Lock()
		for h.streams[st.id] == st && min(st.window, h.connWindow) <= 0 && time.Now().Before(deadline) {
			h.windows.Wait()
		}
		n := int(min(st.window, h.connWindow, int64(h.maxFrame), int64(len(body))))
		if h.streams[st.id] != st || n <= 0 {
			h.mu.Unlock()
			return
		}
		st.window -= int64(n)
		h.connWindow -= int64(n)
		h.mu.Unlock()
		var out bytes.Buffer
		http2.NewFramer(&out, nil).WriteData(st.id, n == len(body), []byte(body[:n]))
		if h.write(out.Bytes()) != nil {
			return
		}
		body = body[n:]
	}
}

func (h *h2conn) write(b []byte) error {
	h.wmu.Lock()
	defer h.wmu.Unlock()
	h.c.SetWriteDeadline(time.Now().Add(h.timeout))
	_, err := h.c.Write(b)
	return err
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

// read is the connection's reader. When it ends, so does every stream that is left.
func (h *h2conn) read() {
	defer close(h.dead)
	err := h.readFrames()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	h.lastErr = plain(err)
	end := endEOF
	if isReset(err) {
		end = endReset
	}
	text := h.lastErr
	if h.sawGoAway {
		text = fmt.Errorf("%w, after GOAWAY (%v)", h.lastErr, h.goAwayCode)
	}
	for _, st := range h.streams {
		h.finishLocked(st, end, fmt.Errorf("HTTP/2 stream %d: wait for response: %w", st.id, text))
	}
}

func (h *h2conn) readFrames() error {
	for {
		f, err := h.fr.ReadFrame()
		if err != nil {
			var se http2.StreamError
			if errors.As(err, &se) {
				h.mu.Lock()
				if st := h.streams[se.StreamID]; st != nil {
					h.finishLocked(st, endReset, fmt.Errorf("HTTP/2 stream %d: %w", se.StreamID, err))
				}
				h.mu.Unlock()
				continue
			}
			return err
		}
		if err := h.handle(f); err != nil {
			return err
		}
	}
}

// handle takes in one frame.
func (h *h2conn) handle(f http2.Frame) error {
	var reply bytes.Buffer
	rf := http2.NewFramer(&reply, nil)

	h.mu.Lock()
	st := h.streams[f.Header().StreamID]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			h.settingsLocked(f)
			rf.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			rf.WritePing(true, f.Data)
		}
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			h.connWindow += int64(f.Increment)
		} else if st != nil {
			st.window += int64(f.Increment)
		}
		h.windows.Broadcast()
	case *http2.GoAwayFrame:
		h.gone = true
		h.sawGoAway = true
		h.goAwayCode = f.ErrCode
		for id, st := range h.streams {
			if id > f.LastStreamID {
				h.finishLocked(st, endRefused, nil)
			}
		}
	case *http2.RSTStreamFrame:
		if st == nil {
			break
		}
		end := endReset
		if f.ErrCode == http2.ErrCodeRefusedStream {
			end = endRefused
		}
		h.finishLocked(st, end, fmt.Errorf("HTTP/2 stream %d: RST_STREAM %v", st.id, f.ErrCode))
	case *http2.MetaHeadersFrame:
		if st == nil {
			break
		}
		if !st.headRead {
			h.headLocked(st, f)
		}
		if f.StreamEnded() {
			h.endLocked(st)
		}
	case *http2.DataFrame:
		// Given back whether or not anybody waits for it: the connection's window is everybody's.
		if n := f.Header().Length; n > 0 {
			rf.WriteWindowUpdate(0, n)
			if st != nil && !f.StreamEnded() {
				rf.WriteWindowUpdate(st.id, n)
			}
		}
		if st == nil {
			break
		}
		st.got += int64(len(f.Data()))
		if f.StreamEnded() {
			h.endLocked(st)
		}
	}
	h.mu.Unlock()

	if reply.Len() > 0 {
		// A reply that cannot be written is no reason to stop reading: what tells the streams' fate may be there.
		_ = h.write(reply.Bytes())
	}
	return nil
}

func (h *h2conn) settingsLocked(f *http2.SettingsFrame) {
	_ = f.ForeachSetting(func(s http2.Setting) error {
		switch s.ID {
		case http2.SettingInitialWindowSize:
			delta := int64(s.Val) - h.initWindow
			h.initWindow = int64(s.Val)
			for _, st := range h.streams {
				st.window += delta
			}
			h.windows.Broadcast()
		case http2.SettingMaxFrameSize:
			h.maxFrame = int(s.Val)
		case http2.SettingMaxConcurrentStreams:
			h.maxStreams = s.Val
		}
		return nil
	})
	if !h.sawSettings {
		h.sawSettings = true
		close(h.settled)
	}
}

func (h *h2conn) headLocked(st *h2stream, f *http2.MetaHeadersFrame) {
	status, err := strconv.Atoi(f.PseudoValue("status"))
	if err != nil {
		h.finishLocked(st, endReset, fmt.Errorf("HTTP/2 stream %d: response without a status", st.id))
		return
	}
	if status < 200 {
		return
	}
	st.status = status
	st.headRead = true
	for _, field := range f.RegularFields() {
		if field.Name == "content-length" {
			if n, err := strconv.ParseInt(field.Value, 10, 64); err == nil {
				st.want = n
			}
		}
	}
	close(st.head)
}

// endLocked ends a stream that said END_STREAM. It may have said it too early.
func (h *h2conn) endLocked(st *h2stream) {
	switch {
	case !st.headRead:
		h.finishLocked(st, endReset, fmt.Errorf("HTTP/2 stream %d: END_STREAM without a response", st.id))
	case st.want >= 0 && st.got != st.want && !st.noBody && st.status != http.StatusNotModified:
		h.finishLocked(st, endReset, fmt.Errorf("HTTP/2 stream %d: read response body: %d of %d bytes: %w",
			st.id, st.got, st.want, io.ErrUnexpectedEOF))
	default:
		h.finishLocked(st, endComplete, nil)
	}
}

// h2Fields is a request header.
func h2Fields(method, scheme, path, host string, header http.Header, body string, extra ...hpack.HeaderField) []hpack.HeaderField {
	if v := header.Get("Host"); v != "" {
		host = v
	}
	fields := []hpack.HeaderField{
		{Name: ":method", Value: method},
		{Name: ":scheme", Value: scheme},
		{Name: ":authority", Value: host},
		{Name: ":path", Value: path},
	}
	if header.Get("User-Agent") == "" {
		fields = append(fields, hpack.HeaderField{Name: "user-agent", Value: "draincheck"})
	}
	for _, name := range sortedNames(header) {
		if name == "Host" {
			continue
		}
		for _, v := range header[name] {
			fields = append(fields, hpack.HeaderField{Name: strings.ToLower(name), Value: v})
		}
	}
	if body != "" {
		fields = append(fields, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(body))})
	}
	return append(fields, extra...)
}
