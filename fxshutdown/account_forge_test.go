package fxshutdown_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

const (
	// forged is a method that looks like a list of ours: over HTTP/2 a method may be any
	// text.
	forged = `GET "/a" (1s), DELETE "/b" (2s)`

	// hostile is text that reverses other text, changes a terminal's colors, and is not
	// UTF-8.
	hostile = "\u202egnp.exe\u2066\u200f\u0085\x9b31m\xff"

	// hostilePath decodes to a line that looks like one of ours.
	hostilePath = "/%0Atime=now%20level=INFO%20msg=%22http%20server%20stopped%22%1B%5B31m%E2%80%AE%C2%9B"
)

// What a client sends cannot forge or break an error, a report or a log.
func TestNobodyForges(t *testing.T) {
	type sent struct{ name, method, path string }
	h2Sent := []sent{
		{"Method", forged, "/x"},
		{"MethodHostile", "GET" + hostile, "/x"},
		{"Path", "GET", hostilePath},
	}
	h1Sent := []sent{{"Path", "GET", hostilePath}}
	scenario := func(t *testing.T, m mode, r sent) {
		text, jsonText := &syncBuffer{}, &syncBuffer{}
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, idleGrace(5*time.Millisecond), logTo(text, jsonText))
		s.sendRaw(r.method, r.path)
		g.waitEntered(t, 1)
		err := receive(t, "Stop()", s.stopIn(100*time.Millisecond))
		if err == nil {
			t.Fatal("Stop() = nil, want the aborted request")
		}
		waitStopped(t, text, jsonText)
		report, jsonErr := json.Marshal(s.Report())
		if jsonErr != nil {
			t.Fatalf("Marshal(Report()) = %v", jsonErr)
		}
		for where, text := range map[string]string{
			"Stop()":           err.Error(),
			"Report()":         fmt.Sprintf("%+v", s.Report()),
			"Report()'s JSON":  string(report),
			"slog text":        text.String(),
			"slog JSON":        jsonText.String(),
			"Request.String()": s.Report().AbortedRequests[0].String(),
		} {
			wantHarmless(t, where, text)
		}
	}
	sockets(t, h2Modes, func(t *testing.T, m mode) {
		for _, r := range h2Sent {
			t.Run(r.name, func(t *testing.T) { scenario(t, m, r) })
		}
	})
	sockets(t, h1Modes, func(t *testing.T, m mode) {
		for _, r := range h1Sent {
			t.Run(r.name, func(t *testing.T) { scenario(t, m, r) })
		}
	})
}

// wantHarmless checks that text can be shown, and has nothing in it that a client made
// up.
func wantHarmless(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, forged) {
		t.Errorf("%s is forged: %q", where, text)
	}
	if !utf8.ValidString(text) {
		t.Errorf("%s is not UTF-8: %q", where, text)
	}
	for line := range strings.Lines(text) {
		for _, r := range strings.TrimSuffix(line, "\n") {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%s has the character %U: %q", where, r, line)
				return
			}
		}
		if strings.HasPrefix(line, "time=now") {
			t.Errorf("%s has a line that a client made up: %q", where, line)
		}
	}
}

// 20 requests with long paths and methods do not make a log, an error or a report long.
func TestNobodyFloods(t *testing.T) {
	const n, long, most = 20, 900 << 10, 50 << 10
	sockets(t, allModes, func(t *testing.T, m mode) {
		text, jsonText := &syncBuffer{}, &syncBuffer{}
		g := newGate()
		defer g.open()
		s := start(t, m, g.ServeHTTP, idleGrace(5*time.Millisecond), logTo(text, jsonText))
		for i := range n {
			if i%2 == 0 {
				s.sendRaw("GET", "/"+strings.Repeat("x", long))
			} else {
				s.sendRaw(strings.Repeat("M", long), "/x")
			}
		}
		g.waitEntered(t, n)
		err := receive(t, "Stop()", s.stopIn(500*time.Millisecond))
		if err == nil {
			t.Fatal("Stop() = nil, want the aborted requests")
		}
		if got := len(s.Report().AbortedRequests); got != n {
			t.Errorf("Report().Aborted lists %d, want %d", got, n)
		}
		waitStopped(t, text, jsonText)
		report, jsonErr := json.Marshal(s.Report())
		if jsonErr != nil {
			t.Fatalf("Marshal(Report()) = %v", jsonErr)
		}
		for where, got := range map[string]int{
			"Stop()":          len(err.Error()),
			"Report()":        len(fmt.Sprintf("%+v", s.Report())),
			"Report()'s JSON": len(report),
			"slog text":       len(text.String()),
			"slog JSON":       len(jsonText.String()),
		} {
			t.Logf("%s: %d bytes", where, got)
			if got > most {
				t.Errorf("%s has %d bytes, want at most %d", where, got, most)
			}
		}
		for _, r := range s.Report().AbortedRequests {
			if len(r.Method) > 300 || len(r.Path) > 300 {
				t.Errorf("Report() keeps a method of %d and a path of %d bytes, want at most some 256", len(r.Method), len(r.Path))
				break
			}
		}
	})
}

// logTo is a setting: log by log/slog as text and as JSON.
func logTo(text, jsonText io.Writer) setting {
	return config(func(c *fxshutdown.Config) {
		c.Logger = bothLoggers{
			&fxshutdown.SlogLogger{Logger: slog.New(slog.NewTextHandler(text, nil))},
			&fxshutdown.SlogLogger{Logger: slog.New(slog.NewJSONHandler(jsonText, nil))},
		}
	})
}

// waitStopped waits for the last line of each log. Stop does not wait for a slow Logger.
func waitStopped(t *testing.T, logs ...*syncBuffer) {
	t.Helper()
	for _, log := range logs {
		eventually(t, "the stop's last line is logged", func() bool {
			return strings.Contains(log.String(), "http server stopped")
		})
	}
}

type bothLoggers [2]fxshutdown.Logger

func (b bothLoggers) LogEvent(e fxshutdown.Event) {
	b[0].LogEvent(e)
	b[1].LogEvent(e)
}

// sendRaw sends a request without a body on a connection of its own.
func (s *server) sendRaw(method, path string) {
	s.t.Helper()
	if !s.mode.h2 {
		s.raw().send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		return
	}
	c := s.rawH2()
	c.request(1, method, path)
	go func() {
		for {
			if _, err := c.read(); err != nil {
				return
			}
		}
	}()
}

// request sends a request with any method and path, however long, in as many frames as
// it takes (RFC 9113, section 6.10).
func (c *h2Conn) request(stream uint32, method, path string) {
	c.t.Helper()
	const continuation, most = 0x9, 1 << 14
	b := appendLiteral(nil, 2, method)
	b = append(b, c.scheme)
	b = appendLiteral(b, 4, path)
	b = appendLiteral(b, 1, "localhost")
	var frames []byte
	kind, flags := byte(frameHeaders), byte(flagEndStream)
	for len(b) > 0 {
		n := min(len(b), most)
		if n == len(b) {
			flags |= flagEndHeaders
		}
		frames = binary.BigEndian.AppendUint32(frames, uint32(n)<<8|uint32(kind))
		frames = binary.BigEndian.AppendUint32(append(frames, flags), stream)
		frames = append(frames, b[:n]...)
		b, kind, flags = b[n:], continuation, 0
	}
	c.wmu.Lock() // nothing may come between them
	defer c.wmu.Unlock()
	if _, err := c.Write(frames); err != nil {
		c.t.Fatalf("request: %v", err)
	}
}

// appendLiteral appends a header field whose name has an index in HPACK's static table,
// without indexing it (RFC 7541, sections 5.1, 5.2 and 6.2.2).
func appendLiteral(b []byte, name byte, value string) []byte {
	b = append(b, name)
	if n := len(value); n < 127 {
		b = append(b, byte(n))
	} else {
		b = append(b, 127)
		b = binary.AppendUvarint(b, uint64(n-127))
	}
	return append(b, value...)
}
