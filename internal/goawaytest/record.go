package main

import (
	"fmt"
	"strings"
	"sync"
)

// record is what the server knows of requests: which of them a handler has
// begun to process.
type record struct {
	mu     sync.Mutex // guards what follows
	begun  map[int64]int
	notify chan struct{} // closed when want requests have begun
	want   int
}

// newRecord returns a record whose ready channel closes with the want-th request.
func newRecord(want int) *record {
	return &record{begun: make(map[int64]int), notify: make(chan struct{}), want: want}
}

func (r *record) ready() <-chan struct{} { return r.notify }

// begin notes that a handler has begun to process the request id.
func (r *record) begin(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[id]++
	if len(r.begun) == r.want && r.begun[id] == 1 {
		close(r.notify)
	}
}

// result is what a client knows of a request.
type result struct {
	id   int64
	kind string // "ok", "never" (no connection could be made for it) or "fail"
	text string // the error
}

// counts is what became of the requests of some rounds.
type counts struct {
	answered int
	refused  int // failed on a connection, and no handler saw it
	lost     int // failed, and a handler saw it
	hung     int // of refused and lost: only the client's timeout ended it
	never    int // never sent, as the dial was refused
	twice    int // requests that handlers saw twice
	texts    map[string]int
}

// compare puts the two accounts together.
func (r *record) compare(results []result) (counts, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := counts{texts: make(map[string]int)}
	seen := make(map[int64]bool)
	for _, res := range results {
		begun := r.begun[res.id] > 0
		if seen[res.id] {
			return c, fmt.Errorf("request %d ended twice", res.id)
		}
		seen[res.id] = true
		if res.kind == "ok" {
			if !begun {
				return c, fmt.Errorf("request %d was answered, but no handler saw it", res.id)
			}
			c.answered++
			continue
		}
		what := "refused"
		switch {
		case begun:
			what = "lost"
			c.lost++
		case res.kind == "never":
			what = "never sent"
			c.never++
		default:
			c.refused++
		}
		if strings.Contains(strings.ToLower(res.text), "time") {
			c.hung++
		}
		c.texts[what+": "+res.text]++
	}
	for id, n := range r.begun {
		if n > 1 {
			c.twice++
		}
		if !seen[id] {
			return c, fmt.Errorf("the client does not report request %d", id)
		}
	}
	return c, nil
}

func (c *counts) add(o counts) {
	c.answered += o.answered
	c.refused += o.refused
	c.lost += o.lost
	c.hung += o.hung
	c.never += o.never
	c.twice += o.twice
	if c.texts == nil {
		c.texts = make(map[string]int)
	}
	for t, n := range o.texts {
		c.texts[t] += n
	}
}
