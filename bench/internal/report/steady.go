package report

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/fxshutdown/fxhttp/bench/internal/results"
)

// Steady writes the steady state for a terminal, in the precision by which two versions of a server are compared.
func Steady(r *results.Results) string {
	var b strings.Builder
	if s := r.Settings; s.ReadHeaderMS > 0 {
		fmt.Fprintf(&b, "All Go servers have ReadHeaderTimeout %s and IdleTimeout %s.\n\n",
			seconds(s.ReadHeaderMS), seconds(s.IdleMS))
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "server\trelative to\tpairs\tthroughput: median\tmiddle half\trange\trequests/s\tCPU/request: median\tmiddle half\tmemory\tbytes/connection\t")
	for _, s := range r.Subjects {
		c := r.SteadyCell(s.ID)
		if c == nil {
			continue
		}
		t := c.Throughput
		low, high := results.MiddleHalf(c.Ratios)
		lowCPU, highCPU := results.MiddleHalf(c.CPU)
		fmt.Fprintf(w, "%s\t%s\t%d\t%.3f\t%.3f–%.3f\t%.3f–%.3f\t%.0f\t%.3f\t%.3f–%.3f\t%.3f\t%.0f\t\n",
			s.ID, c.Base, t.N, t.Median, low, high, t.Min, t.Max, c.Rate.Median, results.Summarize(c.CPU).Median, lowCPU, highCPU, c.Memory.Median, c.PerConn.Median)
	}
	w.Flush()
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "\nnot measured: %s failed three times in a round\n", f)
	}
	return b.String()
}
