package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// shownRounds is how many rounds are shown one by one. Of more, those that failed are.
const shownRounds = 20

func writeRounds(w io.Writer, res *drain.Result) {
	rows := [][]string{{"round", "port closed", "exit", "status", "sent", "answered", "lost", "verdict"}}
	left := 0
	for i := range res.Rounds {
		r := &res.Rounds[i]
		if len(r.Steps) > 0 {
			writeSteps(w, r)
			continue
		}
		if len(res.Rounds) > shownRounds && r.Verdict == drain.Pass {
			left++
			continue
		}
		closed := "never"
		if r.PortClosed != nil {
			closed = ms(*r.PortClosed)
		}
		rows = append(rows, []string{strconv.Itoa(r.Round), closed, ms(r.Exited), exitStatus(r),
			strconv.Itoa(r.Total.Sent), strconv.Itoa(r.Total.Answered), strconv.Itoa(r.Total.Lost), r.Verdict})
	}
	if len(rows) > 1 {
		tableOf(w, rows)
	}
	if left > 0 {
		fmt.Fprintf(w, "%d rounds that passed are not shown.\n\n", left)
	}
	writeReasons(w, res)
}

func exitStatus(r *drain.Round) string {
	switch {
	case r.Killed:
		return "killed"
	case r.ExitUnknown:
		return "unknown"
	case r.ExitSignal != "":
		return r.ExitSignal
	}
	return strconv.Itoa(r.ExitCode)
}

// leadingCount is what reasons of the same kind differ in: "3 of 812 ".
var leadingCount = regexp.MustCompile(`^\d+( of \d+)? `)

// writeReasons says why rounds failed, and says it once of rounds that failed alike.
func writeReasons(w io.Writer, res *drain.Result) {
	type why struct {
		text   string
		rounds []string
	}
	var all []why
	for _, r := range res.Rounds {
		if r.Verdict == drain.Pass {
			continue
		}
		var uncounted []string
		for _, reason := range r.Reasons {
			uncounted = append(uncounted, leadingCount.ReplaceAllString(reason, ""))
		}
		text := strings.Join(uncounted, "; ")
		i := slices.IndexFunc(all, func(w why) bool { return w.text == text })
		if i < 0 {
			i = len(all)
			all = append(all, why{text: text})
		}
		all[i].rounds = append(all[i].rounds, strconv.Itoa(r.Round))
	}
	if len(res.Rounds) < 2 || len(all) == 0 {
		return // the verdict says it
	}
	const most = 10
	for i, x := range all {
		if i == most {
			fmt.Fprintf(w, "  and %d other reasons (-json has all)\n", len(all)-most)
			break
		}
		name := "round "
		if len(x.rounds) > 1 {
			name = "rounds "
		}
		if len(x.rounds) > 12 {
			x.rounds = append(x.rounds[:12], "…")
		}
		writeWrapped(w, "  ", name+strings.Join(x.rounds, ", ")+": "+x.text)
	}
	fmt.Fprintln(w)
}

// writeCauses groups the requests that got no answer by what became of them, with the
// first loss of each group as an example.
func writeCauses(w io.Writer, res *drain.Result) {
	for _, c := range res.Causes {
		name := strconv.Itoa(c.Count) + " lost"
		switch c.Cause {
		case drain.Refused:
			name = strconv.Itoa(c.Count) + " refused"
		case drain.Killed:
			name = strconv.Itoa(c.Count) + " cut by draincheck"
		}
		if c.Early > 0 && c.Cause != drain.Refused {
			name += fmt.Sprintf(" (%d of them before the signal)", c.Early)
		}
		var kinds []string
		for _, k := range slices.SortedFunc(maps.Keys(c.Kinds), func(a, b string) int {
			return cmp.Or(cmp.Compare(c.Kinds[b], c.Kinds[a]), cmp.Compare(a, b))
		}) {
			kinds = append(kinds, fmt.Sprintf("%s %d", k, c.Kinds[k]))
		}
		writeWrapped(w, "", fmt.Sprintf("%s, %s: %s", name, c.Cause, strings.Join(kinds, ", ")))
		writeWrapped(w, "  ", c.Means+".")
		writeWrapped(w, "  what helps: ", c.Hint+".")
		if l := example(res, c.Cause); l != nil {
			writeWrapped(w, "  first: ", describe(l))
		}
		fmt.Fprintln(w)
	}
}

// example is the first loss of a cause.
func example(res *drain.Result, cause drain.Cause) *drain.Loss {
	for _, r := range res.Rounds {
		for _, list := range [][]drain.Loss{r.Losses, r.NotLost} {
			for i := range list {
				if list[i].Cause == cause {
					return &list[i]
				}
			}
		}
	}
	return nil
}

func describe(l *drain.Loss) string {
	where := ""
	if l.LocalPort > 0 {
		where = fmt.Sprintf("port %d", l.LocalPort)
		if l.Stream > 0 {
			where += fmt.Sprintf(" stream %d", l.Stream)
		}
		where += ", "
	}
	return fmt.Sprintf("round %d %s, %swritten %s, failed %s: %s", l.Round, l.Kind, where,
		relative(l.Written), relative(l.Failed), l.Error)
}

// writeHolds says what kept a process from ending, and what helps.
func writeHolds(w io.Writer, res *drain.Result) {
	if len(res.Holds) == 0 {
		return
	}
	fmt.Fprintln(w, "what holds the process, tried in short rounds with one kind of connection at a time:")
	for _, h := range res.Holds {
		writeWrapped(w, "  ", h.String())
		if hint := h.Hint(); hint != "" {
			writeWrapped(w, "    what helps: ", hint+".")
		}
	}
	fmt.Fprintln(w)
}

// writeWrapped writes text in lines of a terminal's width, the first one behind prefix.
func writeWrapped(w io.Writer, prefix, text string) {
	const width = 110
	indent := strings.Repeat(" ", len(prefix)-len(strings.TrimLeft(prefix, " "))+2)
	line, first := prefix, true
	for word := range strings.FieldsSeq(text) {
		if !first && len(line)+1+len(word) > width {
			fmt.Fprintln(w, line)
			line, first = indent, true
		}
		if !first {
			line += " "
		}
		line += word
		first = false
	}
	fmt.Fprintln(w, line)
}
