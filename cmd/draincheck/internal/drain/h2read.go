package drain

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"
)

// read is the connection's reader. When it ends, so does every stream that is left.
func (h *h2conn) read() {
	defer close(h.dead)
	err := h.readFrames()
	unread := h.c.cutUnread(err)
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
		// What was sent before a frame of the server came counts as read, also if the
		// frame is GOAWAY.
		st.unread = unread && st.opened.After(h.lastFrame)
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
	h.lastFrame = time.Now()
	if st != nil {
		st.received += 9 + int64(f.Header().Length)
	}
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
		for _, field := range f.RegularFields() {
			if field.Name == "grpc-status" {
				if n, err := strconv.Atoi(field.Value); err == nil {
					st.grpc = n
				}
			}
		}
		if !st.headRead {
			h.headLocked(st, f)
		}
		if f.StreamEnded() {
			h.endLocked(st)
		}
	case *http2.DataFrame:
		// This is given back even if no stream waits for it: all streams share the
		// connection's window.
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
		// If a reply cannot be written, read on: what decides the streams' fate may be
		// there.
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
		case http2.SettingHeaderTableSize:
			h.tableSize, h.tableChanged = s.Val, true
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
