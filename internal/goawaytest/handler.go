package main

import (
	"io"
	"net/http"
	"sync"
)

// tracking tells a connection whose request still lacks a part of its body, and makes
// responses say Connection: close once their connection is told to: net/http then
// sends GOAWAY before their header.
type tracking struct{ next http.Handler }

func (h tracking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	cw := &closingWriter{ResponseWriter: w, conn: c}
	if r.Body != http.NoBody {
		b := &body{ReadCloser: r.Body, conn: c}
		c.addBodies(1)
		defer b.end()
		r.Body = b
	}
	h.next.ServeHTTP(cw, r)
	cw.commit()
}

type closingWriter struct {
	http.ResponseWriter
	conn      *conn
	committed bool
}

func (w *closingWriter) commit() {
	if !w.committed && w.conn.closeHeader.Load() {
		w.Header().Set("Connection", "close")
	}
	w.committed = true
}

func (w *closingWriter) WriteHeader(code int) {
	w.commit()
	w.ResponseWriter.WriteHeader(code)
}

func (w *closingWriter) Write(p []byte) (int, error) {
	w.commit()
	return w.ResponseWriter.Write(p)
}

func (w *closingWriter) Flush() {
	w.commit()
	w.ResponseWriter.(http.Flusher).Flush()
}

// body notices its end.
type body struct {
	io.ReadCloser
	conn *conn
	once sync.Once
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *body) end() { b.once.Do(func() { b.conn.addBodies(-1) }) }
