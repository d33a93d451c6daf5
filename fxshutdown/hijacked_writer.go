package fxshutdown

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// hijackedWriter replaces net/http's ResponseWriter after the handler that hijacked its
// connection has returned, and answers as that writer would if it is still used. Misuse
// that is logged does not get here; see misuse.go.
type hijackedWriter struct {
	header http.Header
	conn   *conn
}

var _ interface {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	http.CloseNotifier //lint:ignore SA1019 net/http's writer is one, so ours is
	io.ReaderFrom
} = (*hijackedWriter)(nil)

func (w *hijackedWriter) Header() http.Header                { return w.header }
func (w *hijackedWriter) Write([]byte) (int, error)          { return 0, http.ErrHijacked }
func (w *hijackedWriter) WriteHeader(int)                    {}
func (w *hijackedWriter) ReadFrom(io.Reader) (int64, error)  { return 0, http.ErrHijacked }
func (w *hijackedWriter) Flush()                             {}
func (w *hijackedWriter) FlushError() error                  { return nil }
func (w *hijackedWriter) CloseNotify() <-chan bool           { return nil }
func (w *hijackedWriter) EnableFullDuplex() error            { return nil }
func (w *hijackedWriter) SetReadDeadline(t time.Time) error  { return w.conn.SetReadDeadline(t) }
func (w *hijackedWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }
func (w *hijackedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrHijacked
}
