package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A row is the stops of one server under one load.
type row []stop

func printHead() {
	fmt.Printf("%-7s %-38s %-11s %6s %6s %8s  %-14s  %s\n",
		"rtt", "load", "server", "stops", "lost", "of", "lost per stop", "stop took: median (range), ms")
}

func (r row) print(rtt time.Duration, load, server string) {
	lost := slices.Sorted(values(r, func(s stop) int { return s.lost }))
	took := slices.Sorted(values(r, func(s stop) time.Duration { return s.took }))
	sent, killed := 0, 0
	for _, s := range r {
		sent += s.sent
		if s.killed {
			killed++
		}
	}
	fmt.Printf("%-7v %-38s %-11s %6d %6d %8d  %-14s  %.1f (%.1f-%.1f)", rtt, load, server, len(r), r.lost(), sent,
		fmt.Sprintf("%d (%d-%d)", median(lost), lost[0], lost[len(lost)-1]),
		ms(median(took)), ms(took[0]), ms(took[len(took)-1]))
	if killed > 0 {
		fmt.Printf(", killed %d times", killed)
	}
	fmt.Println()
}

func (r row) lost() int {
	n := 0
	for _, s := range r {
		n += s.lost
	}
	return n
}

func values[T any](r row, of func(stop) T) func(func(T) bool) {
	return func(yield func(T) bool) {
		for _, s := range r {
			if !yield(of(s)) {
				return
			}
		}
	}
}

// median is a value that was measured, of sorted ones.
func median[T cmp.Ordered](sorted []T) T { return sorted[(len(sorted)-1)/2] }

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
