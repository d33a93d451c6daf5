package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// results are kept in a file, one for each scenario, server, family and speed; a new one replaces
// the one before.
type results []*result

func readResults(file string) (rs results, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &rs); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rs, nil
}

func (rs results) write(file string) error {
	text, err := json.MarshalIndent(rs, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// with returns rs with r in its place, in the order of the scenarios.
func (rs results) with(r *result) results {
	same := func(o *result) bool {
		return o.Scenario == r.Scenario && o.Server == r.Server && o.Family == r.Family && o.Speed == r.Speed
	}
	rs = append(slices.DeleteFunc(slices.Clone(rs), same), r)
	all := scenarios()
	place := func(r *result) int {
		return slices.IndexFunc(all, func(s scenario) bool { return s.name == r.Scenario })
	}
	slices.SortStableFunc(rs, func(a, b *result) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Speed, b.Speed))
	})
	return rs
}

// table is rs in Markdown.
func (rs results) table() string {
	var b strings.Builder
	b.WriteString("| | server | rollouts, pods | requests | lost | refused | other status | streams, cut | over 0.9 s | p99 | killed | a pod's end: median, most | a rollout |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	all := scenarios()
	for _, r := range rs {
		about := r.Scenario
		if i := slices.IndexFunc(all, func(s scenario) bool { return s.name == r.Scenario }); i >= 0 {
			about = all[i].about
		}
		if r.Family != ipv4.name {
			about += ", " + r.Family
		}
		if r.Speed != 1 {
			about += fmt.Sprintf(" (times divided by %g)", r.Speed)
		}
		fmt.Fprintf(&b, "| `%s`: %s | %s | %d, %d | %s | %s | %s | %s | %d, %s | %s | %.0f ms | %s | %.1f s, %.1f s | %.0f s |\n",
			r.Scenario, about, r.Server, r.Rollouts, r.Pods, thousands(r.Sent), bold(r.Lost), bold(r.Refused), bold(r.BadStatus),
			r.Streams, bold(r.StreamCut), bold(r.Slow), r.P99, bold(r.Killed), r.Stop, r.StopMax, r.Rollout)
	}
	return b.String()
}

// bold makes a number stand out if it is not zero.
func bold(n int) string {
	if n == 0 {
		return "0"
	}
	return "**" + thousands(n) + "**"
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// The table is between these lines of the README.
const (
	tableBegins = "<!-- what the play measured: written by play -save -->\n"
	tableEnds   = "<!-- end of what the play measured -->\n"
)

// intoReadme replaces the table in file.
func intoReadme(file, table string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		return fmt.Errorf("%s has no place for the table, between %q and %q", file, tableBegins, tableEnds)
	}
	return os.WriteFile(file, []byte(before+tableBegins+"\n"+table+"\n"+tableEnds+after), 0o644)
}
