package truth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A seen is what handler and client saw of a request. Each field is written by one
// of them, and read when both have ended.
type seen struct {
	q request

	// The handler's.
	begun, ready, ended time.Time // zero: never
	calls               int
	asked, flushed      bool
	cancelled           bool // by the stop, when it looked last
	how                 string
	writeErr            error
	hijackAt            [2]time.Time // before and after
	hijackErr           error
	closingAt           time.Time // when the owner of the hijacked connection began to close it
	closedAt            time.Time // and had

	// The client's.
	dialed   int // the number of its connection, among those of the script's
	sent     bool
	complete bool
	got      int
	err      error
	over     time.Time
}

func (s *seen) hijacked() bool { return !s.hijackAt[1].IsZero() && s.hijackErr == nil }

func (s *seen) String() string {
	rel := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("05.000000")
	}
	h := fmt.Sprintf("handler: begun %s ready %s ended %s (%s) flushed=%v asked=%v cancelled=%v", rel(s.begun), rel(s.ready), rel(s.ended), s.how, s.flushed, s.asked, s.cancelled)
	if s.writeErr != nil {
		h += fmt.Sprintf(" write: %v", s.writeErr)
	}
	if s.q.end == endHijack {
		h += fmt.Sprintf(" hijacked %s (%v) closed %s", rel(s.hijackAt[1]), s.hijackErr, rel(s.closedAt))
	}
	return fmt.Sprintf("%s; client: sent=%v complete=%v got=%d err=%v over %s", h, s.sent, s.complete, s.got, s.err, rel(s.over))
}

// handlers plays the handlers' side of a script.
type handlers struct {
	server  *fxshutdown.Server
	stopped <-chan struct{} // closed at the end of the round

	mu    sync.Mutex // guards the fields below, and what handlers write
	seen  []*seen
	stale context.Context // of the request before
	wg    sync.WaitGroup  // of the goroutines that own hijacked connections
}

type connKey struct{}

func (h *handlers) locked(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || id >= len(h.seen) {
		panic(fmt.Sprintf("request for %q", r.URL.Path))
	}
	s := h.seen[id]
	h.locked(func() { s.begun = time.Now(); s.calls++ })
	how := "panicked"
	defer func() {
		h.locked(func() {
			s.how = how
			s.cancelled = errors.Is(context.Cause(r.Context()), fxshutdown.ErrStopping)
			s.ended = time.Now()
		})
	}()
	h.play(s, w, r)
	how = "returned"
}

func (h *handlers) play(s *seen, w http.ResponseWriter, r *http.Request) {
	q := s.q
	if q.declare {
		w.Header().Set("Content-Length", strconv.Itoa(total))
	}
	if q.first {
		h.write(s, w, part)
		http.NewResponseController(w).Flush()
		h.locked(func() { s.flushed = true })
	}
	h.ask(s, r)
	h.locked(func() { s.ready = time.Now(); h.stale = r.Context() })
	h.wait(q, r)
	switch q.end {
	case endFull:
		h.rest(s, w)
	case endShort:
		h.write(s, w, 10)
	case endAbort:
		panic(http.ErrAbortHandler)
	case endPanic:
		panic("as the script says")
	case endHijack:
		h.hijack(s, w, r)
	case end503:
		if r.Context().Err() != nil && !q.first {
			w.Header().Del("Content-Length")
			w.WriteHeader(http.StatusServiceUnavailable)
		} else {
			h.rest(s, w)
		}
	case endNothing:
	}
}

func (h *handlers) rest(s *seen, w http.ResponseWriter) {
	if s.q.first {
		h.write(s, w, total-part)
	} else {
		h.write(s, w, total)
	}
}

func (h *handlers) write(s *seen, w http.ResponseWriter, n int) {
	if _, err := w.Write([]byte(strings.Repeat("x", n))); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		h.locked(func() { s.writeErr = err })
	}
}

func (h *handlers) ask(s *seen, r *http.Request) {
	ctx, mark := r.Context(), true
	switch s.q.ask {
	case askNot:
		return
	case askDerived:
		derived, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		ctx = derived
	case askStale:
		h.locked(func() { ctx, mark = h.stale, false })
		if ctx == nil {
			return
		}
		// Its request may run still, and would then be marked.
		ctx = context.WithoutCancel(ctx)
		h.locked(func() {
			for _, other := range h.seen {
				if other != s && !other.begun.IsZero() && other.ended.IsZero() {
					ctx = nil
				}
			}
		})
		if ctx == nil {
			return
		}
	}
	fxshutdown.Draining(ctx)
	if mark {
		h.locked(func() { s.asked = true })
	}
}

func (h *handlers) wait(q request, r *http.Request) {
	switch q.wait {
	case waitTime:
		time.Sleep(q.pause)
	case waitDraining, waitChannel:
		select {
		case <-h.server.Draining():
		case <-r.Context().Done():
		}
	case waitContext:
		<-r.Context().Done()
	case waitLate:
		<-r.Context().Done()
		time.Sleep(q.pause)
	case waitToTheEnd:
		<-h.stopped
	}
}

// hijack takes the connection over, answers, and sees to who closes it.
func (h *handlers) hijack(s *seen, w http.ResponseWriter, r *http.Request) {
	before := time.Now()
	c, _, err := http.NewResponseController(w).Hijack()
	h.locked(func() { s.hijackAt = [2]time.Time{before, time.Now()}; s.hijackErr = err })
	if err != nil {
		return
	}
	io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhijacked")
	closeIt := func(c net.Conn) {
		began := time.Now()
		c.Close()
		h.locked(func() { s.closingAt, s.closedAt = began, time.Now() })
	}
	if s.q.closing == closeInHandler {
		closeIt(c)
		return
	}
	hooked, _ := r.Context().Value(connKey{}).(net.Conn)
	h.wg.Go(func() {
		switch s.q.closing {
		case closeLater:
			time.Sleep(hijackedLonger)
			closeIt(c)
		case closeOnDrain:
			<-h.server.Draining()
			closeIt(c)
		case closeByHook:
			<-h.server.Draining()
			closeIt(hooked)
		case closeNever:
		}
		<-h.stopped // the connection is referenced until then
		c.Close()
	})
}
