package fxshutdown

import (
	"math"
	"testing"
)

// The figures are right where an int has 32 bits, and a server has answered more requests
// than that counts: GOARCH=386 go test -run TestReportOfMany.
func TestReportOfMany(t *testing.T) {
	const many uint64 = 1<<33 - 1
	var r Report
	r.sum(Stats{}, totals{Answered: many}, totals{Answered: many + 3, Failed: 1})
	if want := int(min(many+3, math.MaxInt)); r.Served != want || r.Answered != 3 || r.Requests != 4 {
		t.Errorf("served %d, answered %d of %d, want %d, 3 of 4", r.Served, r.Answered, r.Requests, want)
	}
}
