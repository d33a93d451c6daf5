package fxshutdown_test

import (
	"errors"
	"net/http"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// observe takes over from the server which connections were dropped: the time of a drop
// is checked, not modelled.
func (s *sim) observe() {
	for i, c := range s.conns {
		at := c.ended()
		if !c.waits() || at.IsZero() {
			continue
		}
		first, last := s.dropTimes(c, at)
		if s.seen.Equal(at.Add(-ms)) {
			first = earlier(first, at) // the sign came at the instant of the interruption, 1 ms before
		}
		if s.drainAt.IsZero() || at.Before(s.drainAt) || at.Before(first) || at.After(last) {
			s.t.Errorf("connection %d was dropped %v after the drain began, want %v to %v", i, at.Sub(s.drainAt), first.Sub(s.drainAt), last.Sub(s.drainAt))
		}
		s.dropped++
		c.state = http.StateClosed
		s.lastGone = later(s.lastGone, at)
	}
}

// dropTimes returns when a connection that waits may be dropped, as known at the given
// time.
func (s *sim) dropTimes(c *simConn, at time.Time) (first, last time.Time) {
	ofClient := earlier(s.clientQuiet(at), s.drainAt.Add(maxClientWait)).Add(s.grace())
	if s.grace() == 0 {
		ofClient = time.Time{} // the stop waits for no client
	}
	first = later(c.quiet.Add(s.grace()), ofClient)
	last = later(first, s.listenerUntil()).Add(2 * ms)
	if c.part {
		most := later(c.waitsSince, s.drainAt).Add(s.grace() + maxTrickle)
		if !c.pipelined { // net/http has not counted what it read ahead as a part
			first = later(c.quiet.Add(s.grace()+maxTrickle), ofClient)
		}
		first = earlier(first, most)
		last = later(later(most, s.listenerUntil()), last).Add(cutDelay + 2*ms)
	} else if c.pipelined {
		last = last.Add(maxTrickle)
	}
	if !s.end.IsZero() {
		forceAt, cutAt := s.forceAt(), s.cutAt()
		if !s.cutBy.IsZero() {
			forceAt, cutAt = s.forceBegan, s.cutBy
		}
		first = earlier(first, cutAt)
		if last.After(forceAt) {
			last = later(cutAt, s.listenerUntil())
		}
	}
	return first, last
}

// check compares the server with the model.
func (s *sim) check(after string) {
	s.t.Helper()
	synctest.Wait()
	s.observe()
	now := time.Now()
	want := fxshutdown.Stats{Accepted: uint64(len(s.conns)), Requests: uint64(s.begun), Failed: uint64(s.failed), Aborted: uint64(s.aborted), IdleClosed: uint64(s.dropped)}
	for i, c := range s.conns {
		switch c.state {
		case http.StateNew:
			want.New++
		case http.StateActive:
			want.Active++
		case http.StateIdle:
			want.Idle++
		case http.StateHijacked:
			want.Hijacked++
		}
		if c.call != nil && c.call.running {
			want.InFlight++
		}
		if _, last := s.dropTimes(c, now); c.waits() && s.isDraining() && now.After(last) {
			s.t.Errorf("after %s: connection %d is open %v after it was to be dropped", after, i, now.Sub(last))
		}
		c.mu.Lock()
		if c.responses != c.replies && !c.gone && s.cutTime.IsZero() {
			s.t.Errorf("after %s: connection %d has got %d responses, want %d", after, i, c.responses, c.replies)
		}
		c.mu.Unlock()
	}
	for _, c := range s.conns {
		if c.reported && c.state == http.StateClosed {
			want.Cut++
		}
	}
	want.Closed = want.Accepted - uint64(want.Open())
	got := s.server.Stats()
	// The model knows their sum.
	if sum := got.Answered + got.Failed + got.Ended + got.Hijacks + got.Aborted + uint64(got.Undecided); sum != got.Requests {
		s.t.Errorf("after %s: Stats() = %+v: the parts of Requests are %d", after, got, sum)
	}
	want.Answered, want.Hijacks, want.Undecided = got.Answered, got.Hijacks, got.Undecided
	if r := s.server.Report(); r.Requests != r.Answered+r.Failed+r.Ended+r.Hijacks+r.Aborted+r.Undecided {
		s.t.Errorf("after %s: Report() = %+v does not balance", after, r)
	}
	if s.cutTime.IsZero() && got != want {
		s.t.Errorf("after %s: Stats() = %+v, want %+v", after, got, want)
	}
	if got.Open() != int(got.Accepted-got.Closed) || got.IdleClosed+got.Cut > got.Closed || got.New < 0 || got.Active < 0 || got.Idle < 0 || got.Hijacked < 0 || got.InFlight < 0 {
		s.t.Errorf("after %s: Stats() = %+v do not agree with each other", after, got)
	}
	if isClosed(s.server.Draining()) != s.isDraining() {
		s.t.Errorf("after %s: Draining() is closed: %v, want %v", after, isClosed(s.server.Draining()), s.isDraining())
	}
}

// finish ends the stop, or makes one, and compares the final accounts.
func (s *sim) finish() {
	if !isClosed(s.stopped) && !s.t.Failed() {
		s.stop(2 * time.Second)
		s.act()
		s.check("the last stop")
		s.sleep(2 * time.Second)
	}
	synctest.Wait()
	if !isClosed(s.stopped) {
		s.t.Error("the stop has not ended")
	}
	s.checkEnd()
	for _, c := range s.conns {
		if x := s.lastCall(c); x != nil {
			select {
			case x.commands <- evReturn:
			case <-time.After(time.Nanosecond): // it has returned
			}
			if x.hijacked != nil {
				x.hijacked.Close()
			}
		}
		c.client.Close()
	}
	s.server.Close()
	s.others.Wait()
	synctest.Wait()
	if st := s.server.Stats(); st.InFlight != 0 || st.Open() != 0 {
		s.t.Errorf("Stats() in the end = %+v, want nothing open", st)
	}
}

func (s *sim) checkEnd() {
	if s.t.Failed() {
		return
	}
	stuck := false
	for i, c := range s.conns {
		stuck = stuck || c.call != nil && c.call.running
		if !c.gone && c.ended().IsZero() && c.state != http.StateHijacked {
			s.t.Errorf("connection %d is still open", i)
		}
	}
	r := s.server.Report()
	if sum := r.Answered + r.Failed + r.Ended + r.Hijacks + r.Aborted; r.Requests != sum {
		s.t.Errorf("Report().Requests = %d, the parts are %d: %+v", r.Requests, sum, r)
	}
	if s.unclear {
		return
	}
	type figures struct{ requests, answered, failed, hijacked, aborted, cancelled, cut, dropped, unbegun int }
	got := figures{r.Requests, r.Answered, r.Failed, r.Hijacks, r.Aborted, r.Cancelled, r.HijackedClosed, r.IdleClosed, r.Unbegun}
	want := figures{s.begun - s.atStop.begun + s.atStop.undecided, s.answered, s.failedSince, s.hijacks, s.abortedSince, s.cancelledCalls, s.cut, s.dropped, 0}
	// Requests that the model cannot decide go where the report put them.
	n := got.answered - want.answered
	if n < 0 || n > s.either {
		s.t.Errorf("Report().Answered = %d, want %d to %d", got.answered, want.answered, want.answered+s.either)
	}
	want.answered += n
	want.aborted += s.either - n
	if s.either > 0 {
		want.cancelled, want.dropped = got.cancelled, got.dropped
	}
	if got != want {
		s.t.Errorf("Report() = %+v, want %+v", got, want)
	}
	var aborted *fxshutdown.AbortedError
	lost := 0
	for _, a := range r.AbortedRequests {
		if !a.Stream {
			lost++
		}
	}
	if s.either == 0 && lost != len(r.AbortedRequests)-s.streams {
		s.t.Errorf("Report().AbortedRequests has %d streams, want %d", len(r.AbortedRequests)-lost, s.streams)
	}
	if errors.As(s.stopErr, &aborted) != (lost > 0) || s.stopErr != nil && lost == 0 {
		s.t.Errorf("Stop() = %v with %d requests lost", s.stopErr, lost)
	}
	// RequestGrace may have cost all of these requests, and the force have come too late.
	grace := s.cfg.RequestGrace > 0 && errors.Is(s.stopErr, fxshutdown.ErrRequestGrace)
	if aborted != nil && !grace && !errors.Is(aborted, s.reason) {
		s.t.Errorf("Stop() = %v, want the reason %v", s.stopErr, s.reason)
	}
	if string(r.Trigger) != s.trigger {
		s.t.Errorf("Report().Trigger = %q, want %q", r.Trigger, s.trigger)
	}
	wantEnd := later(s.listenerUntil(), s.lastGone)
	if stuck {
		wantEnd = later(s.cutTime.Add(lateMost), s.end)
		if s.end.IsZero() || s.cutAtOnce {
			wantEnd = s.cutTime.Add(settleMost)
			if !s.end.IsZero() {
				wantEnd = earlier(wantEnd, later(s.end, s.cutTime.Add(lateMost)))
			}
		}
	}
	if !s.stoppedAt.Equal(wantEnd) {
		s.t.Errorf("the stop ended %v after it began, want %v; stuck: %v", s.stoppedAt.Sub(s.stopAt), wantEnd.Sub(s.stopAt), stuck)
	}
}
