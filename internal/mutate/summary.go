package main

import (
	"fmt"
	"io"
	"time"
)

// A summary counts what became of the mutants.
type summary struct {
	out       io.Writer
	counts    [uncompiled + 1]int
	survivors []mutant
}

// add prints a line.
func (s *summary) add(m mutant, r result, took time.Duration) {
	s.counts[r.outcome]++
	if r.outcome == survived {
		s.survivors = append(s.survivors, m)
	}
	fmt.Fprintf(s.out, "%s:%d: %s: %s (%.1fs)\n", m.file, m.line, m.what, r, took.Seconds())
}

// counted is the number of mutants that were tested.
func (s *summary) counted() int { return s.counts[survived] + s.counts[killed] + s.counts[timedOut] }

func (s *summary) print() {
	fmt.Fprintf(s.out, "\n%d mutants: %d noticed (%d of them by the timeout), %d survived; %d more did not compile\n",
		s.counted(), s.counts[killed]+s.counts[timedOut], s.counts[timedOut], s.counts[survived], s.counts[uncompiled])
	for _, m := range s.survivors {
		fmt.Fprintf(s.out, "survived: %s:%d: %s\n", m.file, m.line, m.what)
	}
}
