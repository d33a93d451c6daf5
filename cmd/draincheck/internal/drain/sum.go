package drain

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// sum fills in the accounts of a round. All clients have returned.
func (r *round) sum(signalled time.Time) {
	since := func(t time.Time) Millis { return millis(t.Sub(signalled)) }
	closed := r.probed
	for _, rec := range r.recorders {
		k := rec.kind()
		if !k.balanced() || rec.open != 0 {
			panic(fmt.Sprintf("drain: the accounts of %s do not balance: %+v, %d open", rec.name, k.Counts, rec.open))
		}
		r.Kinds = append(r.Kinds, k)
		r.Total.add(k.Counts)
		for _, l := range rec.losses {
			res := l.result(rec.name, r.Round.Round, since)
			if l.cause == Refused || l.cause == Killed {
				r.NotLost = append(r.NotLost, res)
				continue
			}
			r.Losses = append(r.Losses, res)
		}
		if !rec.refused.IsZero() && (closed.IsZero() || rec.refused.Before(closed)) {
			closed = rec.refused
		}
	}
	for _, list := range []*[]Loss{&r.Losses, &r.NotLost} {
		slices.SortStableFunc(*list, func(a, b Loss) int { return cmp.Compare(a.Written, b.Written) })
		*list = (*list)[:min(len(*list), maxLosses)]
	}
	r.Causes = causesOf(r.recorders)
	r.Timeline = r.chronicle.timeline()
	if !closed.IsZero() {
		ms := since(closed)
		r.PortClosed = &ms
	}
}

func (l *loss) result(kind string, round int, since func(time.Time) Millis) Loss {
	return Loss{
		Kind: kind, Round: round, Cause: l.cause, Early: l.early,
		LocalPort: l.port, Stream: l.stream, WrittenAt: l.written.Round(0), FailedAt: l.failed.Round(0),
		Sent: l.sent, Received: l.received, Status: l.status,
		Written: since(l.written), Failed: since(l.failed), Error: l.err.Error(),
	}
}

// causesOf counts the requests that got no answer by cause.
func causesOf(recorders []*recorder) []CauseCount {
	var counts []CauseCount
	for _, x := range causes {
		n := CauseCount{Cause: x.cause, Kinds: map[string]int{}, Means: x.what, Hint: x.hint}
		for _, rec := range recorders {
			if k := rec.causes[x.cause]; k > 0 {
				n.Count += k
				n.Kinds[rec.name] += k
			}
			n.Early += rec.early[x.cause]
		}
		if n.Count > 0 {
			counts = append(counts, n)
		}
	}
	return counts
}
