package truth

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

const (
	// undecidedMost is how long a response may be unknown to be written: 5 ms, and
	// what the event takes to be logged. HTTP/2 says so only when a connection has
	// no other stream, else 50 ms later.
	undecidedMost   = 6 * ms
	undecidedMostH2 = 70 * ms

	// closeMost is how long ago the owner may have closed a hijacked connection that
	// the stop says it has closed: events take their time to be logged.
	closeMost = 20 * ms
)

// A verdict is what a round came to.
type verdict struct {
	disagreements []string
	undecided     int // complete, and listed as aborted because it was not known yet
}

// judge compares the accounts of a round.
func judge(a *account) *verdict {
	v := &verdict{}
	j := &judging{account: a, verdict: v}
	j.index()
	if a.hung {
		j.say("hang", "Stop took %v more than it might", hangMost)
	}
	if a.running {
		j.say("hang", "a handler, or Stats().InFlight, did not end")
	}
	for _, s := range a.seen {
		j.request(s)
	}
	j.totals()
	j.theError()
	j.theLog()
	return v
}

// judging is the work of judge.
type judging struct {
	*account
	*verdict

	aborted, cancelled, cut             map[string]fxshutdown.Request // the report's, by path
	saidAborted, saidCut, saidCancelled map[string]time.Time          // the log's
}

// say notes a disagreement, of a kind by which they are counted.
func (j *judging) say(kind, format string, args ...any) {
	j.disagreements = append(j.disagreements, kind+": "+fmt.Sprintf(format, args...))
}

func (j *judging) index() {
	byPath := func(list string, rs []fxshutdown.Request) map[string]fxshutdown.Request {
		m := map[string]fxshutdown.Request{}
		for _, r := range rs {
			if _, twice := m[r.Path]; twice {
				j.say("twice", "%s lists %s twice", list, r.Path)
			}
			m[r.Path] = r
		}
		return m
	}
	j.aborted = byPath("Aborted", j.report.AbortedRequests)
	j.cancelled = byPath("Cancelled", j.report.CancelledRequests)
	j.cut = byPath("Cut", j.report.HijackedClosedRequests)
	j.saidAborted, j.saidCut, j.saidCancelled = map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}
	for _, e := range j.events {
		switch ev := e.Event.(type) {
		case *fxshutdown.RequestAborted:
			j.saidAborted[ev.Request.Path] = e.at
		case *fxshutdown.HijackedClosed:
			j.saidCut[ev.Request.Path] = e.at
		case *fxshutdown.RequestsCancelled:
			for _, r := range ev.Requests {
				j.saidCancelled[r.Path] = e.at
			}
		}
	}
}

// request judges what the report says of a request.
func (j *judging) request(s *seen) {
	path := s.q.path()
	aborted, isAborted := j.aborted[path]
	_, isCancelled := j.cancelled[path]
	_, isCut := j.cut[path]
	if s.calls > 1 {
		j.say("test", "%s reached its handler %d times", path, s.calls)
	}
	switch {
	case s.begun.IsZero():
		if isAborted || isCancelled || isCut {
			j.say("never begun", "%s is in the report: aborted %v, cancelled %v, cut %v", path, isAborted, isCancelled, isCut)
		}
		if s.complete {
			j.undecided++ // by whoever listens on the port now: it was free again
		}
		return
	case s.hijacked():
		j.hijacked(s, isAborted, isCut)
		return
	case isCut:
		j.say("cut", "%s is in HijackedClosedRequests and hijacked nothing", path)
	}
	// What a handler does when its request is cut off already makes it no stream.
	ready := !s.ready.IsZero() && s.ready.Before(j.saidAborted[path].Add(-time.Millisecond))
	if isAborted && aborted.Stream != (s.flushed && s.asked) && ready {
		j.say("stream", "%s: Stream = %v, flushed %v, asked %v", path, aborted.Stream, s.flushed, s.asked)
	}
	_, told := j.saidCancelled[path]
	switch {
	case s.complete && isAborted:
		j.completeAborted(s, aborted)
	case !s.complete && !isAborted && (s.cancelled || told && s.how == "returned") && !(s.flushed && s.asked) && !s.endedBefore(j.saidCancelled[path]):
		j.say("lost, not aborted", "%s", path)
	case !s.complete && isAborted && !s.cancelled && !told && !aborted.Running && s.how == "panicked":
		j.say("failed, aborted", "%s ended by itself before it was cancelled", path)
	}
	if isCancelled && !s.cancelled && !told && s.ended.Before(j.firstCancel().Add(-undecidedMost)) {
		j.say("cancelled", "%s is in Cancelled, its handler saw nothing", path)
	}
	if s.cancelled && !isCancelled && !isAborted {
		j.say("cancelled", "%s saw its context cancelled and is in neither Cancelled nor Aborted", path)
	}
	if isCancelled && isAborted && aborted.Running {
		j.say("cancelled", "%s is in Cancelled, and in Aborted as running", path)
	}
}

// firstCancel is when the log has that requests were cancelled. Who begins and ends in
// the moment of that decision counts as cancelled, and may not see it.
func (j *judging) firstCancel() time.Time {
	for _, e := range j.events {
		if _, is := e.Event.(*fxshutdown.RequestsCancelled); is {
			return e.at
		}
	}
	return j.ended
}

// endedBefore reports that the handler ended before the moment.
func (s *seen) endedBefore(t time.Time) bool {
	return !t.IsZero() && !s.cancelled && s.ended.Before(t.Add(-closeMost))
}

// completeAborted judges a request that is listed as aborted, and was answered.
func (j *judging) completeAborted(s *seen, r fxshutdown.Request) {
	most := undecidedMost
	if j.script.mode.h2 {
		most = undecidedMostH2
	}
	at := j.saidAborted[r.Path]
	known := s.ended.Add(most).Before(at)
	// One that ran when it was cut may still have written all of it before the
	// connection was closed.
	if r.Running && s.ended.After(at.Add(undecidedMost)) {
		known = true
	}
	if !known {
		j.undecided++
		return
	}
	j.say("answered, aborted", "%s: Running = %v, the handler ended %v before", r.Path, r.Running, j.saidAborted[r.Path].Sub(s.ended))
}

func (j *judging) hijacked(s *seen, isAborted, isCut bool) {
	path := s.q.path()
	if isAborted && s.hijackAt[1].Before(j.saidAborted[path].Add(-undecidedMost)) {
		j.say("hijacked, aborted", "%s", path)
	}
	cutAt := j.saidCut[path]
	switch {
	case isCut && !s.closedAt.IsZero() && s.closedAt.Before(cutAt.Add(-closeMost)) && s.ended.Before(cutAt.Add(-closeMost)):
		j.say("closed, cut", "%s was closed (by %d) %v before the stop says it closed it", path, s.q.closing, cutAt.Sub(s.closedAt))
	case !isCut && !isAborted && !s.over.IsZero() && s.over.Before(j.ended):
		// Its client has gone, and that counts as its end if somebody has read so far.
	case !isCut && !isAborted && (s.closedAt.IsZero() || s.closingAt.After(j.ended)):
		j.say("open, not cut", "%s was not closed by its owner before the end of the stop", path)
	}
}

// A bound is a figure of the report: what it must count, and what it may.
type bound struct{ must, may int }

func (b *bound) add(must, may bool) {
	b.must += oneIf(must)
	b.may += oneIf(may)
}

func (j *judging) figure(name string, got int, b bound) {
	if got < b.must || got > b.may {
		j.say("figure", "Report().%s = %d, want %d to %d", name, got, b.must, b.may)
	}
}

// totals judges the figures, given the lists.
func (j *judging) totals() {
	var answered, failed, hijacked bound
	var begun, allFailed, unanswered int
	for _, s := range j.seen {
		if s.begun.IsZero() {
			unanswered += oneIf(s.sent)
			continue
		}
		begun++
		_, isAborted := j.aborted[s.q.path()]
		must, may := j.within(s)
		switch {
		case isAborted:
		case s.hijacked():
			hijacked.add(must, may)
		case s.complete:
			answered.add(must, may)
		default:
			failed.add(must, may)
			allFailed++
		}
	}
	r := j.report
	j.figure("Answered", r.Answered, answered)
	j.figure("Failed", r.Failed, failed)
	j.figure("Hijacked", r.Hijacks, hijacked)
	if sum := r.Answered + r.Failed + r.Ended + r.Hijacks + len(r.AbortedRequests); r.Requests != sum {
		j.say("figure", "Report().Requests = %d, its parts are %d", r.Requests, sum)
	}
	if r.Unbegun > unanswered {
		j.say("figure", "Report().Unbegun = %d, %d requests were sent and reached no handler", r.Unbegun, unanswered)
	}
	st := j.stats
	for name, pair := range map[string][2]int{
		"Requests":              {int(st.Requests), begun},
		"Failed":                {int(st.Failed), allFailed},
		"Aborted":               {int(st.Aborted), len(r.AbortedRequests)},
		"Open()":                {st.Open(), 0},
		"InFlight":              {st.InFlight, 0},
		"Accepted (and Closed)": {int(st.Accepted), int(st.Closed)},
	} {
		if pair[0] != pair[1] {
			j.say("stats", "Stats().%s = %d, want %d", name, pair[0], pair[1])
		}
	}
	lost := slices.ContainsFunc(j.seen, func(s *seen) bool {
		_, isAborted := j.aborted[s.q.path()]
		return isAborted
	})
	if want := !lost && r.Unbegun == 0 && len(r.HijackedClosedRequests) == 0 && r.Forced == nil; r.Graceful() != want {
		j.say("graceful", "Report().Graceful() = %v, want %v", r.Graceful(), want)
	}
}

// within reports whether a request must be, and may be, among those of the stop.
func (j *judging) within(s *seen) (must, may bool) {
	last := s.ended
	if s.hijacked() {
		// The stop begins between when it is asked for and what the report says.
		last = s.hijackAt[0]
		return last.After(j.report.Began), !s.hijackAt[1].Before(j.began)
	}
	if last.After(j.report.Began) {
		return true, true
	}
	if j.script.mode.h2 {
		return false, true
	}
	// The next request of an HTTP/1 connection settles this one.
	for _, conn := range j.conns {
		i := slices.Index(conn, s)
		if i < 0 || i+1 == len(conn) {
			continue
		}
		next := conn[i+1]
		if next.dialed == s.dialed && !next.begun.IsZero() && next.begun.Before(j.report.Began) {
			return false, false
		}
	}
	return false, true
}

// theError judges what Stop returned.
func (j *judging) theError() {
	var want []string
	for path, r := range j.aborted {
		if !r.Stream {
			want = append(want, path)
		}
	}
	var e *fxshutdown.AbortedError
	isAborted := errors.As(j.err, &e)
	if should := len(want) > 0 || j.report.Unbegun > 0; isAborted != should || !should && j.err != nil {
		j.say("error", "Stop() = %v, want an AbortedError: %v", j.err, should)
	}
	if !isAborted {
		return
	}
	var got []string
	for _, r := range e.Requests {
		got = append(got, r.Path)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || e.Unbegun != j.report.Unbegun {
		j.say("error", "Stop() names %v and %d unbegun, want %v and %d", got, e.Unbegun, want, j.report.Unbegun)
	}
	if j.report.Forced != nil && !errors.Is(j.err, j.report.Forced) {
		j.say("error", "Stop() = %v, want it to match Report().Forced: %v", j.err, j.report.Forced)
	}
}

// theLog judges the events.
func (j *judging) theLog() {
	var names []string
	for _, e := range j.events {
		name := strings.TrimPrefix(fmt.Sprintf("%T", e.Event), "*fxshutdown.")
		if slices.Contains([]string{"Started", "StopBegan", "DrainBegan", "ListenerClosed", "Stopped"}, name) {
			names = append(names, name)
		}
	}
	if want := []string{"Started", "StopBegan", "DrainBegan", "ListenerClosed", "Stopped"}; !slices.Equal(names, want) {
		j.say("log", "the phases are logged as %v", names)
	}
	same := func(what string, said map[string]time.Time, listed map[string]fxshutdown.Request) {
		for path := range said {
			if _, ok := listed[path]; !ok {
				j.say("log", "%s is logged as %s and not in the report", path, what)
			}
		}
		for path := range listed {
			if _, ok := said[path]; !ok {
				j.say("log", "%s is in the report as %s and was not logged", path, what)
			}
		}
	}
	same("aborted", j.saidAborted, j.aborted)
	same("cut", j.saidCut, j.cut)
	for _, e := range j.events {
		ev, ok := e.Event.(*fxshutdown.Stopped)
		if !ok {
			continue
		}
		if !reflect.DeepEqual(ev.Report, j.atEnd) {
			j.say("log", "Stopped has another report than Report() just behind Stop:\n%+v\n%+v", ev.Report, j.atEnd)
		}
		if !errors.Is(j.err, ev.Err) || (ev.Err == nil) != (j.err == nil) {
			j.say("log", "Stopped has error %v, Stop returned %v", ev.Err, j.err)
		}
	}
}
