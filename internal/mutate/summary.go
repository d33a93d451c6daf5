package main

import (
	"fmt"
	"io"
	"time"
)

// A summary counts what became of the mutants.
type summary struct {
	out    io.Writer
	counts [uncompiled + 1]int
	doubts []string
}

// add prints a line about mutant number i.
func (s *summary) add(i int, m mutant, r result, took time.Duration) {
	s.counts[r.outcome]++
	line := fmt.Sprintf("%d: %s:%d: %s: %s", i, m.file, m.line, m.what, r)
	if r.outcome == survived || r.outcome == once {
		s.doubts = append(s.doubts, line)
	}
	fmt.Fprintf(s.out, "%s (%.1fs)\n", line, took.Seconds())
}

// counted is the number of mutants that were tested.
func (s *summary) counted() int {
	return s.counts[survived] + s.counts[once] + s.counts[killed] + s.counts[timedOut]
}

func (s *summary) print() {
	fmt.Fprintf(s.out, "\n%d mutants: %d noticed (%d of them by the timeout), %d noticed once and not again, %d survived; %d more did not compile\n",
		s.counted(), s.counts[killed]+s.counts[timedOut], s.counts[timedOut], s.counts[once], s.counts[survived], s.counts[uncompiled])
	for _, line := range s.doubts {
		fmt.Fprintln(s.out, line)
	}
}
