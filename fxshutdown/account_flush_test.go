package fxshutdown_test

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// net/http says that an HTTP/2 connection is idle before it flushes the last response. A
// connection that is cut in the hook that is told so has not answered.
func TestIdleIsNotAnswered(t *testing.T) {
	sockets(t, h2Modes, func(t *testing.T, m mode) {
		var armed atomic.Bool // a connection is idle before its first request too
		idle, leave := make(chan struct{}, 1), make(chan struct{})
		s := start(t, m, func(http.ResponseWriter, *http.Request) { armed.Store(true) }, idleGrace(5*time.Millisecond),
			func(srv *http.Server, _ *fxshutdown.Config) {
				srv.ConnState = func(_ net.Conn, st http.ConnState) {
					if st == http.StateIdle && armed.Load() {
						idle <- struct{}{}
						<-leave
					}
				}
			})
		defer close(leave)
		got := s.goGet(s.client(), "/unflushed")
		receive(t, "the hook", idle)
		err := s.Close()
		if r := receive(t, "the response", got); r.err == nil {
			t.Fatalf("response = %q, want none: the test is to cut it", r.body)
		}
		wantCut(t, s, err, "/unflushed")
	})
}
