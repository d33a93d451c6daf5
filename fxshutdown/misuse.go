package fxshutdown

import (
	"net/http"
	"path"
	"runtime"
	"strings"
)

// net/http logs the misuse of an HTTP/1 ResponseWriter, and names the first caller
// outside of net/http, which would be us. So the wrapper detects misuse itself, and logs
// it in net/http's words. (HTTP/2 logs none.)

// headerState says how far the header of a response is.
type headerState uint8

const (
	headerOpen    headerState = iota
	headerSettled             // it is out of the handler's hands: whether it says close is decided
	headerWritten             // net/http has it: another one is superfluous
)

func (w *http1Writer) WriteHeader(status int) {
	switch {
	case w.isHijacked():
		w.logMisuse("response.WriteHeader on hijacked connection")
	case w.header == headerWritten:
		w.logMisuse("superfluous response.WriteHeader call")
	default:
		w.exchange.WriteHeader(status)
	}
}

func (w *http1Writer) Write(p []byte) (int, error) {
	if w.isHijacked() {
		if len(p) > 0 {
			w.logMisuse("response.Write on hijacked connection")
		}
		return 0, http.ErrHijacked
	}
	return w.exchange.Write(p)
}

func (w *http1Writer) WriteString(s string) (int, error) {
	if w.isHijacked() {
		if len(s) > 0 {
			w.logMisuse("response.Write on hijacked connection")
		}
		return 0, http.ErrHijacked
	}
	return w.exchange.WriteString(s)
}

// isHijacked takes the lock only if the connection is no longer net/http's.
func (x *exchange) isHijacked() bool {
	c := x.conn
	if c.stage.Load() < stageHijacked {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return x.hijacked
}

// logMisuse is called by a method of the ResponseWriter. It names the caller of that
// method, or of the net/http function that called it.
func (x *exchange) logMisuse(what string) {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		frame, more := frames.Next()
		if !more || !strings.HasPrefix(frame.Function, "net/http.") {
			loggerOf(x.conn.set.given).Printf("http: %s from %s (%s:%d)", what, frame.Function, path.Base(frame.File), frame.Line)
			return
		}
	}
}
