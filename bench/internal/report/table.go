package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fxshutdown/fxhttp/bench/internal/results"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

// Table writes the results in Markdown.
func Table(r *results.Results) string {
	t := &table{r: r, first: map[string][]string{}}
	for _, s := range r.Standings() {
		t.first[s.Column] = s.First
	}
	t.line("<!-- Written by go run ./bench. -->")
	t.line("")
	t.session()
	if len(r.Lost) > 0 {
		t.lost()
	}
	if len(r.Stop) > 0 {
		t.stop()
	}
	if len(r.Steady) > 0 {
		t.steady()
	}
	t.footnotes()
	t.absent()
	return t.b.String()
}

// A table is one being written.
type table struct {
	r     *results.Results
	b     strings.Builder
	first map[string][]string // subjects by column
	notes []string
}

func (t *table) line(format string, args ...any) {
	fmt.Fprintf(&t.b, format+"\n", args...)
}

func (t *table) row(cells ...string) {
	t.line("| %s |", strings.Join(cells, " | "))
}

func (t *table) head(titles ...string) {
	t.row(titles...)
	t.line("|---|%s", strings.Repeat("---:|", len(titles)-1))
}

// cell marks a text that is first in its column, or refers to the note that says why it is not.
func (t *table) cell(column, subject, text, note string) string {
	if slices.Contains(t.first[column], subject) {
		text = "**" + text + "**"
	}
	if note == "" {
		return text
	}
	i := slices.Index(t.notes, note)
	if i < 0 {
		i = len(t.notes)
		t.notes = append(t.notes, note)
	}
	return fmt.Sprintf("%s [%d]", text, i+1)
}

const nothing = "–"

func (t *table) session() {
	r := t.r
	m := r.Machine
	versions := m.Go
	if m.Node != "" {
		versions += ", Node " + m.Node
	}
	t.line("%s, %s, %s (%s/%s%s), %s. Stop limit %s, for stuck handlers %s. **Bold**: first, or equal to the first.",
		r.Date, plural(r.Settings.Rounds, "round"), plural(m.CPUs, "core"), m.OS, m.Arch, prefixed(", ", m.CPU), versions,
		seconds(r.Settings.LimitMS), seconds(r.Settings.StuckMS))
	t.line("")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func (t *table) lost() {
	t.line("**Requests lost** in %s: the sum, of how many sent, and the range per stop. "+
		"Refused: HTTP/2 streams that are safe to send again. Closed: connections that were closed before their client could write, which is no loss, but no service either.",
		plural(t.r.Settings.Rounds, "stop"))
	t.line("")
	titles := []string{""}
	for _, l := range t.r.Loads {
		titles = append(titles, l.Title)
	}
	t.head(titles...)
	for _, s := range t.r.Subjects {
		cells := []string{s.Name}
		any := false
		for _, l := range t.r.Loads {
			c := t.r.LostCell(s.ID, l.ID)
			if c == nil {
				cells = append(cells, nothing)
				continue
			}
			any = true
			text := fmt.Sprintf("%d of %d", c.Lost, c.Sent)
			if c.Lost > 0 {
				text += fmt.Sprintf(" (%.0f–%.0f)", c.PerStop.Min, c.PerStop.Max)
			}
			if c.Refused > 0 {
				text += fmt.Sprintf("; %d refused", c.Refused)
			}
			if c.Closed > 0 && l.OneRequest {
				text += fmt.Sprintf("; %d closed", c.Closed)
			}
			cells = append(cells, t.cell("lost/"+l.ID, s.ID, text, c.Note))
		}
		if any {
			t.row(cells...)
		}
	}
	t.line("")
}

func (t *table) stop() {
	t.line("**Time from the signal to exit** by what is in the way (slow request: from the last response to exit): the median and the range in milliseconds. " +
		"“Limit”: only the limit ended the stop.")
	t.line("")
	titles := []string{""}
	for _, o := range t.r.Obstacles {
		titles = append(titles, o.Title)
	}
	t.head(titles...)
	for _, s := range t.r.Subjects {
		cells := []string{s.Name}
		any := false
		for _, o := range t.r.Obstacles {
			c := t.r.StopCell(s.ID, o.ID)
			if c == nil {
				cells = append(cells, nothing)
				continue
			}
			any = true
			text := stopTime(c) + " " + millisRange(c.MS)
			if c.Lost > 0 {
				text += fmt.Sprintf("; %d lost", c.Lost)
			}
			cells = append(cells, t.cell("stop/"+o.ID, s.ID, text, c.Note))
		}
		if any {
			t.row(cells...)
		}
	}
	t.line("")
}

func (t *table) steady() {
	t.line("**Steady state**, relative to the runtime's own server: medians and ranges of the ratios of paired runs. The row of that server "+
		"compares it with another instance of itself: its range is noise.%s", t.timeouts())
	t.line("")
	t.head("", "relative to", "throughput", "requests/s", "memory per idle connection", "bytes")
	for _, s := range t.r.Subjects {
		c := t.r.SteadyCell(s.ID)
		if c == nil {
			continue
		}
		base, _ := subject.Find(t.r.Subjects, c.Base)
		t.row(s.Name, base.Name,
			t.cell("steady/throughput", s.ID, ratio(c.Throughput), c.ThroughputNote), fmt.Sprintf("%.0f", c.Rate.Median),
			t.cell("steady/memory", s.ID, ratio(c.Memory), c.MemoryNote), fmt.Sprintf("%.0f", c.PerConn.Median))
	}
	t.line("")
}

// timeouts says what all Go servers were given for the steady state.
func (t *table) timeouts() string {
	s := t.r.Settings
	if s.ReadHeaderMS == 0 {
		return ""
	}
	return fmt.Sprintf(" All Go servers have the same timeouts: ReadHeaderTimeout %s, IdleTimeout %s.",
		seconds(s.ReadHeaderMS), seconds(s.IdleMS))
}

func (t *table) footnotes() {
	for i, n := range t.notes {
		t.line("[%d] %s", i+1, n)
		t.line("")
	}
}

func (t *table) absent() {
	for _, a := range t.r.Absent {
		t.line("Not compared: %s: %s.", a.Name, a.Reason)
		t.line("")
	}
	for _, f := range t.r.Failures {
		t.line("Not measured: %s failed three times in a round.", f)
		t.line("")
	}
}
