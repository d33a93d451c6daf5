package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.json")
	set, err := Read(name)
	if err != nil || len(set) != 0 {
		t.Fatalf("Read of no file = %v, %v", set, err)
	}
	for _, r := range []Result{
		{Recipe: "a", Config: "x", Side: "fxhttp", Lost: 1},
		{Recipe: "a", Config: "x", Side: "net/http", Lost: 2},
		{Recipe: "a", Config: "y", Side: "fxhttp", Lost: 3},
		{Recipe: "a", Config: "x", Side: "fxhttp", Lost: 4},
	} {
		set = set.Merge(r)
	}
	if err := set.Write(name); err != nil {
		t.Fatal(err)
	}
	if set, err = Read(name); err != nil {
		t.Fatal(err)
	}
	if len(set) != 3 {
		t.Errorf("%d results, want 3", len(set))
	}
	if r := set.Find("a", "x", "fxhttp"); r == nil || r.Lost != 4 {
		t.Errorf("the later result of a/x is %+v, want 4 lost", r)
	}
	if r := set.Find("a", "x", "net/http"); r == nil || r.Lost != 2 {
		t.Errorf("the other side of a/x is %+v, want 2 lost", r)
	}
}

func TestTable(t *testing.T) {
	set := Set{
		{Recipe: "a", Config: "x", Side: "fxhttp", Rolls: 20, Sent: 1000, P99: 12.4, Stops: Stops{Count: 40, Median: 4.25, Max: 1510}, Load: [2]float64{1, 2.5}},
		{Recipe: "a", Config: "x", Side: "net/http", Rolls: 20, Sent: 1001, Lost: 3, BadStatus: 4, Slow: 1, P99: 12.4, Ends: &Streams{Polite: 3, Cut: 5}},
	}
	got := Table([]Group{{Title: "A", Rows: []Row{{Recipe: "a", Config: "x", About: "good"}, {Recipe: "a", Config: "y", About: "bad", Loses: "some"}}}}, set)
	for _, want := range []string{
		"| **A** |",
		"| `x`: good | 20 | 1000 / 1001 | 0 / **7** | 0 | 0 / 1 | 4.2 ms, 1.5 s / 0.0 ms, 0.0 ms | 12 ms |  / 5 of 8 | 2.5 / 0.0 |",
		"| ✗ `y`: bad. **some** | – | – | – |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestPublish(t *testing.T) {
	name := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + begin + "old\n" + end + "after\n")
	if err := Publish(name, "new\n"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), "before\n"+begin+"\nnew\n\n"+end+"after\n"; got != want {
		t.Errorf("the file has %q, want %q", got, want)
	}
	write("no markers")
	if err := Publish(name, "new\n"); err == nil {
		t.Error("a file without markers was written")
	}
}
