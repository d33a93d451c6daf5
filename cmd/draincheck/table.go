package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
)

// writeTable is the report for people.
func writeTable(w io.Writer, res *drain.Result, quiet bool) {
	if !quiet {
		fmt.Fprintf(w, "%s\n\n", headline(res))
		writeRequests(w, res)
		writeEnds(w, res)
		writeObstacles(w, res)
		writeRounds(w, res)
		writeCauses(w, res)
		writeHolds(w, res)
		for _, n := range res.Notes {
			writeWrapped(w, "note: ", n)
		}
		if len(res.Notes) > 0 {
			fmt.Fprintln(w)
		}
	}
	writeVerdict(w, res, quiet)
}

// headline says which server was stopped, and how.
func headline(res *drain.Result) string {
	who := strings.Join(res.Command, " ")
	if who == "" {
		who = "the server"
	}
	if res.Target != "" {
		return fmt.Sprintf("rollout of %s (%s) under load through %s, stopped by %s", res.URL, who, res.Target,
			cmp.Or(res.Signal, res.StopCommand))
	}
	if res.StopCommand != "" {
		return fmt.Sprintf("%s stopped %s, which served %s at %s", res.StopCommand, who, res.URL, res.Address)
	}
	return fmt.Sprintf("sent %s to %s, which served %s at %s", res.Signal, who, res.URL, res.Address)
}

// tableOf writes rows in columns, all but the first right-aligned.
func tableOf(w io.Writer, rows [][]string) {
	var b strings.Builder
	// AlignRight pads every cell of every column, so the first column is padded by hand.
	width := 0
	for _, row := range rows {
		width = max(width, len([]rune(row[0])))
	}
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		first := row[0] + strings.Repeat(" ", width-len([]rune(row[0])))
		fmt.Fprintf(tw, "%s\t%s\t\n", first, strings.Join(row[1:], "\t"))
	}
	tw.Flush()
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimPrefix(strings.TrimRight(line, " \n"), "  "))
	}
	fmt.Fprintln(w)
}

func writeRequests(w io.Writer, res *drain.Result) {
	rows := [][]string{{"requests", "clients", "sent", "answered", "status", "lost", "before the signal", "cut by draincheck",
		"refused streams", "behind close", "slow", "left out", "in flight", "p50/p99/max before", "after the signal",
		"refused dials", "closed idle"}}
	row := func(name, clients string, c *drain.Counts, s drain.Statuses, before, during *drain.Latency) {
		rows = append(rows, []string{name, clients, number(c.Sent), number(c.Answered), s.Classes(), number(c.Lost),
			number(c.LostEarly), number(c.CutByKill), number(c.RefusedStreams), number(c.BehindClose), number(c.Slow),
			number(c.Withdrawn), number(c.InFlight), latencies(before), latencies(during), number(c.RefusedDials),
			number(c.ClosedIdle)})
	}
	shown, all := 0, drain.Statuses{}
	for _, k := range res.Kinds {
		if k.Obstacles == nil {
			row(k.Name, strconv.Itoa(k.Clients), &k.Counts, k.Statuses, k.Before, k.During)
			all.Add(k.Statuses)
			shown++
		}
	}
	if shown == 0 {
		return
	}
	if shown > 1 {
		row("all", "", &res.Total, all, nil, nil)
	}
	tableOf(w, withoutEmpty(rows, "before the signal", "cut by draincheck", "refused streams", "behind close", "slow", "left out"))
}

// withoutEmpty drops those of the named columns in which nothing is counted.
func withoutEmpty(rows [][]string, names ...string) [][]string {
	for _, name := range names {
		i := slices.Index(rows[0], name)
		if slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != "-" }) {
			continue
		}
		for r := range rows {
			rows[r] = slices.Delete(rows[r], i, i+1)
		}
	}
	return rows
}

func writeEnds(w io.Writer, res *drain.Result) {
	rows := [][]string{{"streams", "opened", "polite end", "EOF", "reset", "still open", "polite/cut before", "last end"}}
	for _, k := range res.Kinds {
		if e := k.Ends; e != nil {
			rows = append(rows, []string{k.Name, number(e.Opened), number(e.Polite), number(e.EOF), number(e.Reset),
				number(e.Open), number(e.PoliteBefore) + "/" + number(e.CutBefore), ms(e.LastEnd)})
		}
	}
	if len(rows) > 1 {
		tableOf(w, rows)
	}
}

func writeObstacles(w io.Writer, res *drain.Result) {
	rows := [][]string{{"obstacles", "held", "closed after (first)", "(median)", "(last)", "still open", "closed before"}}
	for _, k := range res.Kinds {
		o := k.Obstacles
		if o == nil {
			continue
		}
		at := slices.Sorted(slices.Values(o.ClosedAfter))
		pick := func(i int) string {
			if len(at) == 0 {
				return "-"
			}
			return ms(at[i])
		}
		rows = append(rows, []string{k.Name, number(o.Held), pick(0), pick(len(at) / 2), pick(len(at) - 1),
			number(o.Open), number(o.ClosedBefore)})
	}
	if len(rows) > 1 {
		tableOf(w, rows)
	}
}

func writeVerdict(w io.Writer, res *drain.Result, quiet bool) {
	sum := fmt.Sprintf("%d of %d requests lost", res.Total.Lost, res.Total.Sent)
	if n := len(res.Rounds); n > 1 {
		sum += fmt.Sprintf(" in %d rounds", n)
	}
	switch res.Verdict {
	case drain.Pass:
		fmt.Fprintf(w, "PASS: %s\n", sum)
	case drain.Error:
		fmt.Fprintf(w, "NO VERDICT: the check could not be finished; until then, %s\n", sum)
	default:
		why := reasons(res)
		if res.Total.Lost == 0 && len(why) > 0 {
			sum = fmt.Sprintf("%s (%s)", why[0], sum)
			why = why[1:]
		}
		writeWrapped(w, "FAIL: ", sum)
		if len(res.Rounds) == 1 || quiet {
			for _, reason := range why {
				writeWrapped(w, "  ", reason)
			}
		}
	}
}

// reasons are those of all rounds, each once, without the number of lost requests, which
// the verdict has.
func reasons(res *drain.Result) []string {
	var all []string
	for _, r := range res.Rounds {
		for _, reason := range r.Reasons {
			if !strings.HasSuffix(reason, "requests lost") && !slices.Contains(all, reason) {
				all = append(all, reason)
			}
		}
	}
	return all
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// ms writes a time as short as it can be read: 0.42ms, 42ms, 4.2s.
func ms(m drain.Millis) string {
	switch {
	case m < 0:
		return "-" + ms(-m)
	case m < 1:
		return fmt.Sprintf("%.2fms", float64(m))
	case m < 10:
		return fmt.Sprintf("%.1fms", float64(m))
	case m < 10000:
		return fmt.Sprintf("%.0fms", float64(m))
	}
	return fmt.Sprintf("%.1fs", float64(m)/1000)
}

// relative places a time before or after the signal.
func relative(m drain.Millis) string {
	if m < 0 {
		return ms(-m) + " before the signal"
	}
	return ms(m) + " after the signal"
}

func latencies(l *drain.Latency) string {
	if l == nil {
		return "-"
	}
	return fmt.Sprintf("%s/%s/%s", ms(l.P50), ms(l.P99), ms(l.Max))
}
