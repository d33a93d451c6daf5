package drain

import (
	"fmt"
	"slices"
)

// notes are what a reader should not miss, although it does not change the verdict.
func notes(res *Result) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	t := &res.Total
	if t.AnsweredBefore == 0 {
		note("no request was answered before the signal, so the verdict says little")
	}
	if n := t.UnexpectedBefore; n > 0 {
		note("%s were answered before the signal with a status that -expect does not name", requests(n))
	}
	if n := t.LostEarly; n > 0 {
		note("%s were lost before the signal: the server cannot keep up with this load, or loses requests at other times, too "+
			"(try -keepalive 4 -newconn 2, or a longer -pause)", requests(n))
	}
	if n := t.CutByKill; n > 0 {
		note("%s were cut when draincheck killed the process; they do not count as lost", requests(n))
	}
	if n := t.Withdrawn; n > 0 {
		note("%s were withdrawn before the signal, with the clients that were left out; no other number includes them", requests(n))
	}
	if n := t.RefusedBefore; n > 0 {
		note("%d connections were refused before the signal", n)
	}
	if n := t.DialErrors; n > 0 {
		note("%d connections failed without being refused, for example by a timeout; nothing was sent on them", n)
	}
	if n := t.Unframed; n > 0 {
		note("%d answers had no length and ended with the connection; it is not known whether any of them was truncated", n)
	}
	for _, k := range res.Kinds {
		if k.Ends != nil && k.Ends.Cut() > 0 {
			note("%d of %d %s connections were cut without a goodbye", k.Ends.Cut(), k.Ends.Opened, k.Name)
		}
	}
	left := 0
	for _, r := range res.Rounds {
		if r.LeftBehind {
			left++
		}
	}
	if left > 0 {
		note("in %d of %d rounds, processes that the command had started were still running after its end; they were killed", left, len(res.Rounds))
	}
	for _, r := range res.Rounds {
		for _, n := range r.Notes {
			if !slices.Contains(notes, n) {
				notes = append(notes, n)
			}
		}
	}
	return notes
}
