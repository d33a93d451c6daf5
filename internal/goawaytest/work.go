package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// work is what the server does for its clients.
type work struct {
	rec  *record
	slow bool // each 25th request takes slowWork
}

const slowWork = 400 * time.Millisecond

// do processes a request, in 0 to 20 ms, the same time for the same id.
func (w *work) do(id int64) {
	w.rec.begin(id)
	if w.slow && id%25 == 0 {
		time.Sleep(slowWork)
		return
	}
	time.Sleep(time.Duration(id*7919%21) * time.Millisecond)
}

// handler answers POSTs to /<id> with what they brought, and gRPC. A request whose
// body does not arrive is not processed.
func (w *work) handler() http.Handler {
	g := newGRPC(w)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			g.ServeHTTP(rw, r)
			return
		}
		id, err := strconv.ParseInt(strings.TrimPrefix(r.URL.Path, "/"), 10, 64)
		if err != nil {
			http.NotFound(rw, r)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		w.do(id)
		fmt.Fprintf(rw, "%d bytes\n%s", n, strings.Repeat("x", int(n)))
	})
}
