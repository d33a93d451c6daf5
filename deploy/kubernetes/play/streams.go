package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// streams keeps event streams open, each replaced when it has ended, over all rollouts:
// those of draincheck end with the first.
type streams struct {
	mu      sync.Mutex // guards what follows
	opened  int
	cut     int // ended without a goodbye
	refused int // not opened
}

// run keeps n streams of url open until ctx ends.
func (s *streams) run(ctx context.Context, url string, n int) {
	var clients sync.WaitGroup
	defer clients.Wait()
	for range n {
		clients.Go(func() {
			for ctx.Err() == nil {
				s.read(ctx, url)
				sleep(ctx, 20*time.Millisecond)
			}
		})
	}
}

// read opens a stream and reads it to its end. The body of a chunked response ends with
// io.EOF only if its last chunk came.
func (s *streams) read(ctx context.Context, url string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	resp, err := client.Do(r)
	if err != nil {
		s.note(ctx, &s.refused)
		return
	}
	defer resp.Body.Close()
	s.note(ctx, &s.opened)
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		s.note(ctx, &s.cut)
	}
}

// note counts only what happened before ctx ended: what happens later is our own doing.
func (s *streams) note(ctx context.Context, n *int) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}
