package results

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// A Standing says who is first in a column.
type Standing struct {
	Column string // "lost/keepalive", "stop/silent", "steady/throughput", "steady/memory"
	First  []string
	// Behind are the subjects of ours that are not among the first.
	Behind []string
}

// entry is a subject's result in a column; less is better.
type entry struct {
	subject string
	Summary
}

// How far behind the best a result may be and still count as equal to it. Ranges do not decide: on a noisy machine they
// overlap for everyone.
const (
	equalMS     = 2 // what a process that has nothing to do with either moves a time by
	equalTime   = 0.1
	equalMemory = 0.005
)

// Standings judges every column. First is who has the best result, and everyone who is equal to it:
//
//   - requests lost: the same sum;
//   - times: the medians are at most 2 ms or a tenth apart, or both used up their limit;
//   - throughput: the median is no worse than what the base reached against itself, which is noise;
//   - memory: the medians are at most half a percent apart.
//
// Loss is compared over all; throughput and memory within a runtime, since they are relative to its own server.
func (r *Results) Standings() []Standing {
	var all []Standing
	for _, l := range r.Loads {
		var entries []entry
		for _, c := range r.Lost {
			if c.Load == l.ID {
				n := float64(c.Lost)
				entries = append(entries, entry{c.Subject, Summary{len(c.Stops), n, n, n}})
			}
		}
		all = r.standing(all, "lost/"+l.ID, entries, func(best, e entry) bool { return e.Median <= best.Median })
	}
	for _, o := range r.Obstacles {
		var entries []entry
		limit := float64(r.Settings.Limit(o)) / float64(time.Millisecond)
		for _, c := range r.Stop {
			if c.Obstacle == o.ID {
				e := entry{c.Subject, c.MS}
				if c.AtLimit && c.Killed == 0 {
					// A subject that ends the stop a little earlier, to have time left, is not faster.
					e.Summary = Summary{c.MS.N, limit, limit, limit}
				}
				entries = append(entries, e)
			}
		}
		all = r.standing(all, "stop/"+o.ID, entries, func(best, e entry) bool {
			return e.Median <= best.Median+max(equalMS, equalTime*best.Median)
		})
	}
	var (
		throughput, memory []entry
		noise              = math.Inf(-1)
	)
	for _, c := range r.Steady {
		if !r.goBased(c.Base) {
			continue
		}
		t := c.Throughput
		if c.Subject == c.Base {
			noise = -t.Min
		}
		throughput = append(throughput, entry{c.Subject, Summary{t.N, -t.Median, -t.Max, -t.Min}})
		memory = append(memory, entry{c.Subject, c.Memory})
	}
	all = r.standing(all, "steady/throughput", throughput, func(best, e entry) bool {
		return e.Median <= max(best.Median, noise)
	})
	return r.standing(all, "steady/memory", memory, func(best, e entry) bool {
		return e.Median <= best.Median*(1+equalMemory)
	})
}

// goBased reports whether a base is that of our own runtime.
func (r *Results) goBased(base string) bool { return base == "nethttp" }

func (r *Results) standing(all []Standing, column string, entries []entry, equal func(best, e entry) bool) []Standing {
	entries = slices.DeleteFunc(entries, func(e entry) bool { return e.N == 0 || math.IsNaN(e.Median) })
	if len(entries) == 0 {
		return all
	}
	best := slices.MinFunc(entries, func(a, b entry) int { return cmp.Compare(a.Median, b.Median) })
	s := Standing{Column: column}
	for _, e := range entries {
		switch {
		case equal(best, e):
			s.First = append(s.First, e.subject)
		case r.ours(e.subject):
			s.Behind = append(s.Behind, e.subject)
		}
	}
	return append(all, s)
}

func (r *Results) ours(id string) bool {
	for _, s := range r.Subjects {
		if s.ID == id {
			return s.Ours
		}
	}
	return false
}

// Annotate gives the cells in which we are not first the note that was written for them. Notes go by
// "column/subject" or, for both of ours, by "column". It returns the cells for which there is none.
func (r *Results) Annotate(notes map[string]string) (missing []string) {
	for _, c := range r.Lost {
		c.Note = ""
	}
	for _, c := range r.Stop {
		c.Note = ""
	}
	for _, c := range r.Steady {
		c.ThroughputNote, c.MemoryNote = "", ""
	}
	for _, s := range r.Standings() {
		for _, id := range s.Behind {
			key := s.Column + "/" + id
			note := cmp.Or(notes[key], notes[s.Column])
			if note == "" {
				missing = append(missing, key)
				continue
			}
			*r.note(s.Column, id) = note
		}
	}
	return missing
}

// note returns the place of a cell's note.
func (r *Results) note(column, id string) *string {
	measure, what, _ := strings.Cut(column, "/")
	switch measure {
	case "lost":
		return &r.LostCell(id, what).Note
	case "stop":
		return &r.StopCell(id, what).Note
	}
	if what == "memory" {
		return &r.SteadyCell(id).MemoryNote
	}
	return &r.SteadyCell(id).ThroughputNote
}
