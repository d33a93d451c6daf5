package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// timelineWidth is how many columns a timeline takes in a terminal.
const timelineWidth = 100

var bars = []rune(" ▁▂▃▄▅▆▇█")

// A series is one line of a timeline.
type series struct {
	name  string
	color string // in a report
	of    func(drain.Bucket) int
}

// allSeries are those of a timeline, those that clients do not want to see last.
var allSeries = []series{
	{"answered", "#4c9f70", func(b drain.Bucket) int { return b.OK }},
	{"slow", "#e0a030", func(b drain.Bucket) int { return b.Slow }},
	{"bad status", "#d9652b", func(b drain.Bucket) int { return b.Unexpected }},
	{"lost", "#c0272d", func(b drain.Bucket) int { return b.Lost }},
	{"refused", "#7b5ea7", func(b drain.Bucket) int { return b.Refused }},
	{"cut by draincheck", "#777777", func(b drain.Bucket) int { return b.Killed }},
}

// writeTimeline draws what became of the requests of each tenth of a second, one line a
// result, each with a scale of its own.
func writeTimeline(w io.Writer, t *drain.Timeline) {
	if t == nil || len(t.Buckets) == 0 {
		return
	}
	per := (len(t.Buckets) + timelineWidth - 1) / timelineWidth
	columns := (len(t.Buckets) + per - 1) / per
	fmt.Fprintf(w, "timeline, %d ms a column\n", per*t.TickMS)
	for _, s := range allSeries {
		sums, most, total := make([]int, columns), 0, 0
		for i, b := range t.Buckets {
			sums[i/per] += s.of(b)
			total += s.of(b)
			most = max(most, sums[i/per])
		}
		if total == 0 {
			continue
		}
		var line strings.Builder
		for _, n := range sums {
			// Whatever is there is to be seen.
			i := n * (len(bars) - 1) / most
			if n > 0 {
				i = max(i, 1)
			}
			line.WriteRune(bars[i])
		}
		fmt.Fprintf(w, "%-18s|%s| %d, at most %d a column\n", s.name, line.String(), total, most)
	}
	marks := []rune(strings.Repeat(" ", columns))
	var legend []string
	for _, m := range t.Marks {
		i := min(int(m.At)/t.TickMS/per, columns-1)
		if i >= 0 {
			marks[i] = '^'
		}
		legend = append(legend, fmt.Sprintf("%s %.1fs", m.What, m.At/1000))
	}
	if len(legend) > 0 {
		fmt.Fprintf(w, "%-18s %s\n", "", strings.TrimRight(string(marks), " "))
		writeWrapped(w, strings.Repeat(" ", 19), strings.Join(legend, ", "))
	}
	fmt.Fprintln(w)
}

// writeSteps is a table of the rounds of a rollout, with its timeline.
func writeSteps(w io.Writer, r *drain.Round) {
	rows := [][]string{{"round", "stopped at", "process", "ended", "status", "serving again", "successor"}}
	for _, s := range r.Steps {
		status := "-"
		switch {
		case s.Killed:
			status = "killed"
		case s.ExitSignal != "":
			status = s.ExitSignal
		case s.ExitCode != nil:
			status = fmt.Sprint(*s.ExitCode)
		}
		rows = append(rows, []string{fmt.Sprint(s.Round), ms(s.At), number(s.PID), optional(s.Ended), status,
			optional(s.Ready), number(s.Successor)})
	}
	tableOf(w, rows)
	writeTimeline(w, r.Timeline)
}

func optional(m *drain.Millis) string {
	if m == nil {
		return "-"
	}
	return ms(*m)
}
