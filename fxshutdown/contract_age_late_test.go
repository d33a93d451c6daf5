package fxshutdown_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// ageLateScenarios are about requests that come after their connection has retired, which
// on HTTP/1 may have been long ago.
var ageLateScenarios = []scenario{
	// A late request has time of its own, whatever else the keeper looks at meanwhile.
	{"HasItsTime", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				time.Sleep(4 * time.Second)
			}
			if err := context.Cause(r.Context()); err != nil {
				t.Errorf("the context of %s is over: %v", r.URL.Path, err)
			}
			io.WriteString(w, "done")
		}, onPipe, aging)
		c := s.client()
		s.get(c, "/").want(t, "done")
		time.Sleep(3 * maxAge)
		got := s.goGet(c, "/slow")
		for range 3 {
			time.Sleep(time.Second)
			s.get(s.client(), "/").want(t, "done")
			s.Retire(func(i fxshutdown.ConnInfo) bool { return i.State == http.StateIdle })
		}
		r := receive(t, "the response", got)
		r.want(t, "done")
		r.wantClose(t, true)
		synctest.Wait()
		if st := s.Stats(); st.Answered != st.Requests {
			t.Errorf("Stats() = %+v, want all requests answered", st)
		}
	}},

	// A late request has no more time than that.
	{"Cancelled", bubbles, h1Modes, func(t *testing.T, m mode) {
		var cause error
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stuck" {
				<-r.Context().Done()
				cause = context.Cause(r.Context())
			}
		}, onPipe, aging)
		c := s.client()
		s.get(c, "/").want(t, "")
		time.Sleep(3 * maxAge)
		began := time.Now()
		s.get(c, "/stuck").want(t, "")
		took(t, "the request", time.Since(began), 5*time.Second, 5*time.Second)
		if !errors.Is(cause, fxshutdown.ErrConnectionAgeGrace) {
			t.Errorf("cause = %v, want ErrConnectionAgeGrace", cause)
		}
	}},

	// A connection that is hijacked late has its time too.
	{"Hijacked", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				hijack(t, entered, func(c net.Conn, _ *http.Request) {
					defer c.Close()
					io.Copy(io.Discard, c)
				})(w, r)
			}
		}, onPipe, aging)
		c := s.raw()
		c.get("/")
		c.reply(http.MethodGet).want(t, "")
		time.Sleep(3 * maxAge)
		began := time.Now()
		c.get("/socket")
		<-entered
		io.Copy(io.Discard, c.br)
		took(t, "the hijacked connection", time.Since(began), 5*time.Second, 5100*ms)
	}},

	// An idle HTTP/2 client that has not read for long, while the server has something to
	// write to it, is told when it reads again. Until then nothing is cut.
	{"DeafIsTold", bubbles, h2Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.rawH2()
		c.getWhole(1, "/")
		s.Retire(func(fxshutdown.ConnInfo) bool { return true })
		c.fillWithPings()
		time.Sleep(time.Minute)
		if st := s.Stats(); st.Open() != 1 || st.IdleClosed+st.Cut != 0 {
			t.Errorf("Stats() = %+v, want one connection open, and none dropped or cut", st)
		}
		c.until(func(f frame) bool { return f.kind == frameGoAway })
	}},

	// A stream that was cancelled, and whose response could not say close, does not end
	// its connection: the next request is served like any other.
	{"AfterCancel", bubbles, h1Modes, func(t *testing.T, m mode) {
		entered := make(chan struct{}, 1)
		stream := sse(entered, func(r *http.Request) { <-r.Context().Done() })
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/events" {
				stream(w, r)
				return
			}
			select {
			case <-r.Context().Done():
				t.Errorf("the context of the next request is over: %v", context.Cause(r.Context()))
			case <-time.After(4 * time.Second):
			}
			io.WriteString(w, "done")
		}, onPipe, aging)
		c := s.client()
		s.get(c, "/events").want(t, event1)
		r := s.get(c, "/next")
		r.want(t, "done")
		r.wantClose(t, true)
		synctest.Wait()
		if st := s.Stats(); st.Accepted != 1 || st.Answered != 2 {
			t.Errorf("Stats() = %+v, want two answered on one connection", st)
		}
	}},
}
