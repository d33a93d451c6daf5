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

// namedLosses is how many losses the table names. The JSON result has more.
const namedLosses = 10

// writeTable is the report for people.
func writeTable(w io.Writer, res *drain.Result, quiet bool) {
	if !quiet {
		fmt.Fprintf(w, "%s to %s, which served %s at %s\n\n", res.Signal, strings.Join(res.Command, " "), res.URL, res.Address)
		writeRequests(w, res)
		writeEnds(w, res)
		writeObstacles(w, res)
		writeRounds(w, res)
		writeLosses(w, res)
		for _, n := range res.Notes {
			fmt.Fprintf(w, "note: %s\n", n)
		}
		if len(res.Notes) > 0 {
			fmt.Fprintln(w)
		}
	}
	writeVerdict(w, res)
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
	rows := [][]string{{"requests", "clients", "sent", "answered", "5xx", "lost", "refused streams", "behind close",
		"in flight", "p50/p99/max before", "after the signal", "refused dials", "closed idle"}}
	row := func(name, clients string, c *drain.Counts, before, during *drain.Latency) {
		rows = append(rows, []string{name, clients, number(c.Sent), number(c.Answered), number(c.Errors), number(c.Lost),
			number(c.RefusedStreams), number(c.BehindClose), number(c.InFlight), latencies(before), latencies(during),
			number(c.RefusedDials), number(c.ClosedIdle)})
	}
	shown := 0
	for _, k := range res.Kinds {
		if k.Obstacles == nil {
			row(k.Name, strconv.Itoa(k.Clients), &k.Counts, k.Before, k.During)
			shown++
		}
	}
	if shown == 0 {
		return
	}
	if shown > 1 {
		row("all", "", &res.Total, nil, nil)
	}
	tableOf(w, rows)
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

func writeRounds(w io.Writer, res *drain.Result) {
	rows := [][]string{{"round", "port closed", "exit", "status", "sent", "answered", "lost", "verdict"}}
	for _, r := range res.Rounds {
		closed := "never"
		if r.PortClosed != nil {
			closed = ms(*r.PortClosed)
		}
		status := strconv.Itoa(r.ExitCode)
		if r.ExitSignal != "" {
			status = r.ExitSignal
		}
		if r.Killed {
			status = "killed"
		}
		rows = append(rows, []string{strconv.Itoa(r.Round), closed, ms(r.Exited), status,
			strconv.Itoa(r.Total.Sent), strconv.Itoa(r.Total.Answered), strconv.Itoa(r.Total.Lost), r.Verdict})
	}
	tableOf(w, rows)
}

// writeLosses names the first losses and, of all that are known, how many there are of each sort.
func writeLosses(w io.Writer, res *drain.Result) {
	var losses []drain.Loss
	for _, r := range res.Rounds {
		losses = append(losses, r.Losses...)
	}
	if len(losses) == 0 {
		return
	}
	slices.SortStableFunc(losses, func(a, b drain.Loss) int {
		return cmp.Or(cmp.Compare(a.Round, b.Round), cmp.Compare(a.Written, b.Written))
	})
	fmt.Fprintln(w, "lost:")
	rows := [][]string{}
	for i, l := range losses {
		if i == namedLosses {
			break
		}
		rows = append(rows, []string{fmt.Sprintf("  round %d  %s  written %s, failed %s: %s", l.Round, l.Kind,
			relative(l.Written), relative(l.Failed), l.Error)})
	}
	for _, row := range rows {
		fmt.Fprintln(w, row[0])
	}
	if more := res.Total.Lost - len(rows); more > 0 {
		fmt.Fprintf(w, "  and %d more (-json names up to 200 a round)\n", more)
	}
	fmt.Fprintln(w)
}

func writeVerdict(w io.Writer, res *drain.Result) {
	sum := fmt.Sprintf("%d of %d requests lost", res.Total.Lost, res.Total.Sent)
	if n := len(res.Rounds); n > 1 {
		sum += fmt.Sprintf(" in %d rounds", n)
	}
	switch res.Verdict {
	case drain.Pass:
		fmt.Fprintf(w, "PASS: %s\n", sum)
	case drain.Error:
		fmt.Fprintf(w, "NO VERDICT: %s before the check had to end\n", sum)
	default:
		fmt.Fprintf(w, "FAIL: %s\n", sum)
		seen := map[string]bool{}
		for _, r := range res.Rounds {
			for _, reason := range r.Reasons {
				if !strings.HasSuffix(reason, "requests lost") && !seen[reason] {
					seen[reason] = true
					fmt.Fprintf(w, "  round %d: %s\n", r.Round, reason)
				}
			}
		}
	}
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
