package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// table is what was seen: a row for each client, a column for each policy.
type table struct {
	columns []policy
	rows    []*row
}

type row struct {
	client client
	absent bool
	cells  []cell
}

type cell struct {
	counts counts
	took   []time.Duration
}

func newTable(columns []policy) *table { return &table{columns: columns} }

func (t *table) row(c client) *row {
	r := &row{client: c, cells: make([]cell, len(t.columns))}
	t.rows = append(t.rows, r)
	return r
}

func (t *table) skip(c client) {
	t.rows = append(t.rows, &row{client: c, absent: true, cells: make([]cell, len(t.columns))})
}

// print writes two tables in Markdown.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "answered / refused / lost; (hung)\n\n")
	t.printCells(w, func(c cell) string {
		text := fmt.Sprintf("%d / %d / %d", c.counts.answered, c.counts.refused, c.counts.lost)
		if c.counts.hung > 0 {
			text += fmt.Sprintf(" (%d)", c.counts.hung)
		}
		if c.counts.twice > 0 {
			text += fmt.Sprintf(", %d TWICE", c.counts.twice)
		}
		return text
	})
	sum := make([]cell, len(t.columns))
	for _, r := range t.rows {
		for i, c := range r.cells {
			sum[i].counts.add(c.counts)
		}
	}
	fmt.Fprintf(w, "| all |")
	for _, c := range sum {
		fmt.Fprintf(w, " %d / %d / %d |", c.counts.answered, c.counts.refused, c.counts.lost)
	}
	fmt.Fprintf(w, "\n\nduration of the stops: median, longest (ms)\n\n")
	t.printCells(w, func(c cell) string {
		took := slices.Sorted(slices.Values(c.took))
		return fmt.Sprintf("%d, %d", took[len(took)/2].Milliseconds(), took[len(took)-1].Milliseconds())
	})
	fmt.Fprintln(w)
	for _, p := range t.columns {
		fmt.Fprintf(w, "- %s: %s\n", p.name, p.what)
	}
}

func (t *table) printCells(w io.Writer, text func(cell) string) {
	fmt.Fprint(w, "| client |")
	for _, p := range t.columns {
		fmt.Fprintf(w, " %s |", p.name)
	}
	fmt.Fprint(w, "\n|---|")
	for range t.columns {
		fmt.Fprint(w, "---|")
	}
	fmt.Fprintln(w)
	for _, r := range t.rows {
		fmt.Fprintf(w, "| %s |", r.client.name)
		for _, c := range r.cells {
			if r.absent {
				fmt.Fprint(w, " not on this machine |")
			} else {
				fmt.Fprintf(w, " %s |", text(c))
			}
		}
		fmt.Fprintln(w)
	}
}

// printTexts writes the clients' errors.
func (r *row) printTexts(w io.Writer, columns []policy) {
	for i, p := range columns {
		texts := r.cells[i].counts.texts
		for _, text := range slices.Sorted(maps.Keys(texts)) {
			fmt.Fprintf(w, "  %s, %s: %d %s\n", r.client.name, p.name, texts[text], text)
		}
	}
}
