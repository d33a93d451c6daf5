package drain

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// open sends a request. sent is called right before its first byte is written and unsent
// if, after all, no byte left, in which case the error is errGone. With any other outcome
// the stream's end comes through done.
func (h *h2conn) open(fields []hpack.HeaderField, body string, sent, unsent func()) (*h2stream, error) {
	st := &h2stream{head: make(chan struct{}), done: make(chan struct{}), want: -1, grpc: -1}
	st.noBody = fields[0].Value == http.MethodHead

	h.wmu.Lock()
	// A server that closes without GOAWAY is noticed here rather than by losing the
	// request.
	cut := peek(h.c.raw.Conn) == peekClosed
	h.mu.Lock()
	// Asked with the lock held that makes the stream known: otherwise a GOAWAY that is
	// read in between would not see the stream, and it would never end.
	if h.gone || cut {
		h.mu.Unlock()
		h.wmu.Unlock()
		return nil, errGone
	}
	st.id = h.nextID
	h.nextID += 2
	st.window = h.initWindow
	st.opened = time.Now()
	h.streams[st.id] = st
	// A small body goes out with its header in one piece, so that a request is sent or
	// not.
	whole := int64(len(body)) <= min(st.window, h.connWindow, int64(h.maxFrame))
	if whole {
		st.window -= int64(len(body))
		h.connWindow -= int64(len(body))
	}
	maxFrame := h.maxFrame
	tableSize, changed := h.tableSize, h.tableChanged
	h.tableChanged = false
	h.mu.Unlock()

	h.encBuf.Reset()
	if changed {
		// The encoder announces it at the head of the next block (RFC 7541, 4.2).
		h.enc.SetMaxDynamicTableSize(min(tableSize, 4096))
	}
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
	st.sent = int64(out.Len()) // the stream's end is not told before sent has returned
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
			// Nothing can come for this stream; tell the waiting client anyway.
			close(st.done)
		}
		unsent()
		h.c.Close()
		return nil, errGone
	}
	if err == nil && !whole {
		h.sendBody(st, body)
	}
	// After a failed write the reader still decides: GOAWAY may say that the stream was
	// not processed.
	return st, nil
}

// sendBody sends a body that does not fit into one frame or window, until the stream has
// ended or the timeout is over.
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

// h2Fields is a request header.
func h2Fields(cfg *Config, t *target, method, path, body string, extra ...hpack.HeaderField) []hpack.HeaderField {
	header, host, scheme := cfg.Header, t.host, "http"
	if t.https {
		scheme = "https"
	}
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
	if cfg.GRPC {
		fields = append(fields, hpack.HeaderField{Name: "content-type", Value: "application/grpc"},
			hpack.HeaderField{Name: "te", Value: "trailers"})
	} else if body != "" {
		fields = append(fields, hpack.HeaderField{Name: "content-length", Value: strconv.Itoa(len(body))})
	}
	return append(fields, extra...)
}
