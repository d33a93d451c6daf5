package fxshutdown

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// The event and the report have what the listener knows at its end.
func TestSettleListener(t *testing.T) {
	accept, closing := errors.New("accept"), errors.New("close")
	closed := make(chan *ListenerClosed, 1)
	s, err := New(new(http.Server), Config{Listener: new(fakeSocket), Logger: loggerFunc(func(e Event) {
		closed <- e.(*ListenerClosed)
	})})
	if err != nil {
		t.Fatal(err)
	}
	s.ln = newListener(new(fakeSocket), s.conns, s.events, false)
	s.ln.queue.accepted, s.ln.queue.handshakes, s.ln.queue.flooded, s.ln.queue.err = 3, 2, true, accept
	s.ln.left, s.ln.closeErr, s.ln.unguarded = 4, closing, errDeaf
	close(s.ln.ended)

	st := &stop{s: s}
	st.listener.shutAt = time.Now()
	st.settleListener(true)
	s.events.flush(time.Minute)

	e := <-closed
	if e.Duration < 0 || e.Duration > time.Minute {
		t.Errorf("Duration = %v, want what it took", e.Duration)
	}
	e.Duration = 0
	if want := (ListenerClosed{Queued: 3, Flooded: true, Unaccepted: 4, AcceptErr: accept, Handshakes: 2, FilterErr: errDeaf, Err: closing}); *e != want {
		t.Errorf("the event is %+v, want %+v", *e, want)
	}
	r := st.report
	if r.Queued != 3 || r.Unaccepted != 4 || r.Handshakes != 2 || r.AcceptErr != accept || r.ListenerErr != closing {
		t.Errorf("the report is %+v, want what the event has", r)
	}
}
