package results

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

// A Row is a configuration of the table.
type Row struct {
	Recipe, Config string
	About          string
	Loses          string // "" if it loses nothing
}

// A Group are the rows of a recipe.
type Group struct {
	Title string
	Rows  []Row
}

// The sides of the table, in its order.
var sides = [2]string{"fxhttp", "net/http"}

const head = `| | rolls | requests | failed | refused | over 0.9 s | a stop takes, the longest | p99 | streams cut | load |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
`

// Table is the table of all groups. Each cell has fxhttp's number before net/http's; what
// was not measured is left out.
func Table(groups []Group, s Set) string {
	var b strings.Builder
	b.WriteString(head)
	for _, g := range groups {
		fmt.Fprintf(&b, "| **%s** |%s\n", g.Title, strings.Repeat(" |", 9))
		for _, row := range g.Rows {
			b.WriteString(line(row, s))
		}
	}
	return b.String()
}

func line(row Row, s Set) string {
	var found []*Result
	for _, side := range sides {
		found = append(found, s.Find(row.Recipe, row.Config, side))
	}
	name := "`" + row.Config + "`: " + row.About
	if row.Loses != "" {
		name = "✗ " + name + ". **" + row.Loses + "**"
	}
	cells := []string{name}
	for _, cell := range []func(*Result) string{
		func(r *Result) string { return fmt.Sprint(r.Rolls) },
		func(r *Result) string { return fmt.Sprint(r.Sent) },
		func(r *Result) string { return bold(r.Failed()) },
		func(r *Result) string { return fmt.Sprint(r.Refused) },
		func(r *Result) string { return fmt.Sprint(r.Slow) },
		func(r *Result) string { return span(r.Stops.Median) + ", " + span(r.Stops.Max) },
		func(r *Result) string { return span(r.P99) },
		func(r *Result) string {
			if r.Ends == nil {
				return ""
			}
			return fmt.Sprintf("%d of %d", r.Ends.Cut, r.Ends.Cut+r.Ends.Polite)
		},
		func(r *Result) string { return fmt.Sprintf("%.1f", max(r.Load[0], r.Load[1])) },
	} {
		cells = append(cells, pair(found, cell))
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// pair shows both results in a cell, once if they are the same.
func pair(found []*Result, show func(*Result) string) string {
	var texts []string
	for _, r := range found {
		text := "–"
		if r != nil {
			text = show(r)
		}
		texts = append(texts, text)
	}
	if texts[0] == texts[1] {
		return texts[0]
	}
	return strings.Join(texts, " / ")
}

func bold(n int) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("**%d**", n)
}

func span(m Millis) string {
	d := m.Duration()
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(m))
	}
	return fmt.Sprintf("%.1f ms", float64(m))
}

// The table stands between these in the README.
const (
	begin = "<!-- results: deploy/run writes what follows -->\n"
	end   = "<!-- end of results -->\n"
)

// Publish puts the table into a file, between its markers.
func Publish(name, table string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return fmt.Errorf("%s: want the lines %q and %q, between which the table stands", name, begin, end)
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(begin + "\n" + table + "\n" + end)
	b.Write(after)
	return os.WriteFile(name, b.Bytes(), 0o644)
}
