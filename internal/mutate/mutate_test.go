package main

import (
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const source = `package p

func f(a, b int, c chan int, g func()) int {
	if a < b && a == 1 {
		g()
		return 1
	}
	for a >= b {
		a++
		continue
	}
	for {
		break
	}
	d := a
	d = a
	switch {
	case a > b, !(a != b):
		go g()
	}
	switch a {
	case b:
		defer g()
	}
	select {
	case c <- d:
		c <- a
	}
	if (a == b) {
		goto end
	}
end:
	return d
}
`

// TestMutants has a line for each mutant: the number of the changed line, and the line.
func TestMutants(t *testing.T) {
	want := []string{
		"4	if !(a < b && a == 1) {",
		"4	if a <= b && a == 1 {",
		"4	if a < b && a != 1 {",
		"4", // the whole if
		"5",
		"6",
		"8	for !(a >= b) {",
		"8	for a > b {",
		"9",
		"10",
		"13",
		"16",
		"18	case !(a > b), !(a != b):",
		"18	case a >= b, !(a != b):",
		"18	case a > b, !(!(a != b)):",
		"18	case a > b, !(a == b):",
		"19",
		"23",
		"27",
		"29	if (a != b) {",
		"29",
		"30",
	}
	wantMutants(t, false, want)
}

func TestBranches(t *testing.T) {
	wantMutants(t, true, []string{
		"4	if (false && (a < b && a == 1)) {",
		"4	if (true || (a < b)) && a == 1 {",
		"4	if a < b && (true || (a == 1)) {",
		"18	case (false && (a > b)), !(a != b):",
		"18	case a > b, (false && (!(a != b))):",
		"22", // the whole case
		"29	if (false && ((a == b))) {",
	})
}

func wantMutants(t *testing.T, branches bool, want []string) {
	t.Helper()
	ms, err := mutants("p.go", []byte(source), branches)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	before := strings.Split(source, "\n")
	for _, m := range ms {
		changed := m.apply([]byte(source))
		after := strings.Split(string(changed), "\n")
		if len(after) != len(before) {
			t.Errorf("%s: %d lines, want %d", m.what, len(after), len(before))
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "p.go", changed, 0); err != nil {
			t.Errorf("%s: %v", m.what, err)
		}
		if after[m.line-1] == before[m.line-1] {
			t.Errorf("%s: line %d is unchanged", m.what, m.line)
		}
		got = append(got, strings.TrimRight(fmt.Sprint(m.line)+after[m.line-1], "\t"))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("mutants are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestRun mutates the package in testdata, of which everything is known.
func TestRun(t *testing.T) {
	var out strings.Builder
	args := []string{"-pkg", "./testdata/tiny", "-fast", "Drain", "-timeout", "5s"}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"tiny.go:6: a > b: >= instead of >: SURVIVED",
		"tiny.go:6: negated: a > b: killed by TestMax",
		"tiny.go:6: deleted: if a > b { …: killed by TestMax",
		"tiny.go:9: deleted: return b: no build missing return",
		"tiny.go:14: n > 0: >= instead of >: killed by TestDrain",
		"tiny.go:15: deleted: n--: timed out",
		"8 mutants: 6 noticed (1 of them by the timeout), 0 noticed once and not again, 2 survived; 2 more did not compile\n",
		"tiny.go:6: a > b: >= instead of >: SURVIVED\n",
		"tiny.go:22: deleted: *p = 1: SURVIVED\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("the output:\n%s", &out)
	}
}

// A test that does not notice a mutant again has not shown anything.
func TestRunUnsteady(t *testing.T) {
	t.Setenv("MUTATE_ONCE", filepath.Join(t.TempDir(), "noticed"))
	var out strings.Builder
	if err := run(t.Context(), []string{"-pkg", "./testdata/unsteady"}, &out); err != nil {
		t.Fatal(err)
	}
	if want := "1: unsteady.go:6: deleted: *p = 1: killed ONCE by TestSet/Once"; strings.Count(out.String(), want) != 2 {
		t.Errorf("the output does not have %q twice:\n%s", want, &out)
	}
}

func TestRunSample(t *testing.T) {
	sample := func(args ...string) string {
		t.Helper()
		o, err := parse(args)
		if err != nil {
			t.Fatal(err)
		}
		p, err := load(t.Context(), ".")
		if err != nil {
			t.Fatal(err)
		}
		ms, err := p.sample(o)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, m := range ms {
			fmt.Fprintf(&b, "%s:%d %s\n", m.file, m.line, m.what)
		}
		return b.String()
	}
	one := sample("-seed", "1")
	if again := sample("-seed", "1"); again != one {
		t.Error("the same seed made another sample")
	}
	if other := sample("-seed", "2"); other == one {
		t.Error("another seed made the same sample")
	}
	if add := sample("-func", "^add$"); add == "" || add == one {
		t.Errorf("-func made the sample\n%s", add)
	}
	only := sample("-only", "summary.go")
	if strings.Count(only, "\n") != strings.Count(only, "summary.go:") || only == "" {
		t.Errorf("-only summary.go made the sample\n%s", only)
	}
}

func TestRunErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-n 0":                             "-n",
		"-from 0":                          "-from",
		"-func (":                          "-func",
		"-timeout 0s":                      "-timeout",
		"more":                             "more",
		"-pkg ./testdata/tiny -only no.go": "tiny.go",
		"-pkg ./nosuch":                    "nosuch",
		"-pkg ./testdata/failing":          "fail without a change: killed by TestFails",
	} {
		err := run(t.Context(), strings.Fields(args), new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("run(%s) = %v, want an error with %q", args, err, want)
		}
	}
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	err := run(ctx, []string{"-pkg", "./testdata/tiny"}, writerFunc(func(p []byte) (int, error) {
		cancel() // when it has begun
		return out.Write(p)
	}))
	if !errors.Is(err, context.Canceled) || !strings.Contains(out.String(), "0 mutants") {
		t.Errorf("run() = %v, want %v and a summary:\n%s", err, context.Canceled, &out)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
