package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestStreams ends streams in both ways, and looks at what is counted.
func TestStreams(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "data: tick")
		http.NewResponseController(w).Flush()
		switch asked.Add(1) {
		case 1: // a goodbye
		case 2:
			panic(http.ErrAbortHandler)
		default:
			cancel()
			<-r.Context().Done()
		}
	}))
	defer srv.Close()
	var s streams
	s.run(ctx, srv.URL, 1)
	if s.opened < 2 || s.cut != 1 || s.refused != 0 {
		t.Errorf("opened %d, cut %d, refused %d, want 2 or more, the one that was aborted, 0", s.opened, s.cut, s.refused)
	}
	var none streams
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	srv.Close()
	none.read(ctx, srv.URL)
	if none.refused != 1 {
		t.Errorf("a server that is gone: refused %d, want 1", none.refused)
	}
}
