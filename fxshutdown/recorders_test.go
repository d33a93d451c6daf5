package fxshutdown_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// calls counts what the handler did, independently of the server.
type calls struct {
	begun, ended, panicked atomic.Int64
	short                  atomic.Int64 // responses with less than they declare; the handler that writes one counts it
}

// count returns a handler that calls h and counts.
func (c *calls) count(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.begun.Add(1)
		returned := false
		defer func() {
			if !returned {
				c.panicked.Add(1)
			}
			c.ended.Add(1)
		}()
		h(w, r)
		returned = true
	})
}

// besides counts n more requests, which net/http answers without the handler.
func (c *calls) besides(n int) {
	c.begun.Add(int64(n))
	c.ended.Add(int64(n))
}

// wait waits for the handlers to return.
func (c *calls) wait(t testing.TB) {
	t.Helper()
	eventually(t, "the handlers have returned", func() bool { return c.begun.Load() == c.ended.Load() })
}

// states records what the ConnState hook was told.
type states struct {
	mu   sync.Mutex // guards the fields below
	cond *sync.Cond
	seen map[net.Conn][]http.ConnState
	of   map[http.ConnState]int
	conn []net.Conn // in the order of their first state
}

func newStates() *states {
	s := &states{seen: map[net.Conn][]http.ConnState{}, of: map[http.ConnState]int{}}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// record returns a hook that records and calls next.
func (s *states) record(next func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(c net.Conn, st http.ConnState) {
		s.mu.Lock()
		if _, ok := s.seen[c]; !ok {
			s.conn = append(s.conn, c)
		}
		s.seen[c] = append(s.seen[c], st)
		s.of[st]++
		s.cond.Broadcast()
		s.mu.Unlock()
		if next != nil {
			next(c, st)
		}
	}
}

// wait waits until n connections entered st.
func (s *states) wait(t testing.TB, st http.ConnState, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() { s.mu.Lock(); late = true; s.cond.Broadcast(); s.mu.Unlock() })
	defer timer.Stop()
	for s.of[st] < n {
		if late {
			t.Fatalf("ConnState saw %d connections become %v, want %d", s.of[st], st, n)
		}
		s.cond.Wait()
	}
}

func (s *states) count(st http.ConnState) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[st]
}

// conns returns each connection's type and its states, in the order in which
// the connections came.
func (s *states) conns() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, c := range s.conn {
		all = append(all, fmt.Sprintf("%T %v", c, s.seen[c]))
	}
	return all
}

// events is a Logger that keeps what it was told.
type events struct {
	mu   sync.Mutex // guards the fields below
	cond *sync.Cond
	all  []fxshutdown.Event
}

func newEvents() *events {
	e := &events{}
	e.cond = sync.NewCond(&e.mu)
	return e
}

func (e *events) LogEvent(ev fxshutdown.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
	e.cond.Broadcast()
}

// names returns the types of the events, in order.
func (e *events) names() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, ev := range e.all {
		names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", ev), "*fxshutdown."))
	}
	return names
}

// event waits for an event of type T.
func event[T fxshutdown.Event](s *server) T {
	s.t.Helper()
	e := s.events
	e.mu.Lock()
	defer e.mu.Unlock()
	late := false
	timer := time.AfterFunc(patience, func() { e.mu.Lock(); late = true; e.cond.Broadcast(); e.mu.Unlock() })
	defer timer.Stop()
	for {
		for _, ev := range e.all {
			if ev, ok := ev.(T); ok {
				return ev
			}
		}
		var none T
		if late {
			s.t.Fatalf("no event %T", none)
		}
		e.cond.Wait()
	}
}

// cutWhileServing counts, from the events, what was cut while the server served.
func (e *events) cutWhileServing() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ev, ok := ev.(*fxshutdown.AgeGraceOver); ok {
			n += ev.Aborted
		}
	}
	return n
}

// syncBuffer is a bytes.Buffer for more than one goroutine.
type syncBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
