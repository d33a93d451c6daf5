package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/drain"
	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	spec := losing.Spec{Addr: losing.FreeAddr(t), Way: losing.EOF, N: 3, Victim: losing.KeepAlive, After: true}
	dir := t.TempDir()
	for _, name := range []string{"report.html", "report.svg"} {
		name = filepath.Join(dir, name)
		args := append(against(spec.Addr, "-report", name), "--", executable(t))
		if _, stderr, code := outcome(t, draincheck(t, spec, args...)); code != exitFail {
			t.Fatalf("exit code %d, want %d\n%s", code, exitFail, stderr)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, svg, ok := strings.Cut(string(b), "<svg ")
		svg, _, closed := strings.Cut("<svg "+svg, "</svg>")
		if !ok || !closed {
			t.Fatalf("%s has no drawing: %s", name, b)
		}
		wantXML(t, svg+"</svg>")
		for _, want := range []string{"signal", "exit", " lost</title>", "round 1: fail"} {
			if !strings.Contains(svg, want) {
				t.Errorf("%s lacks %q in its drawing", name, want)
			}
		}
		if strings.HasSuffix(name, ".html") && !strings.Contains(string(b), "read by the server, and never answered") {
			t.Errorf("%s does not say why", name)
		}
	}
}

// wantXML fails unless text is well-formed: a browser shows no drawing that is not.
func wantXML(t *testing.T, text string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, text)
		}
	}
}

func TestTimelineText(t *testing.T) {
	buckets := make([]drain.Bucket, 250)
	for i := range buckets {
		buckets[i].OK = 100
	}
	buckets[249].Lost = 1
	var b strings.Builder
	writeTimeline(&b, &drain.Timeline{TickMS: 100, Buckets: buckets, Marks: []drain.Mark{{At: 12000, What: "stop 1"}}})
	lines := strings.Split(b.String(), "\n")
	if lines[0] != "timeline, 300 ms a column" || !strings.HasPrefix(lines[1], "answered          |█") ||
		!strings.HasSuffix(lines[2], "▁| 1, at most 1 a column") && !strings.HasSuffix(lines[2], "█| 1, at most 1 a column") ||
		strings.Index(lines[3], "^") != 19+40 || !strings.Contains(lines[4], "stop 1 12.0s") {
		t.Errorf("timeline:\n%s", &b)
	}
}

// TestJSONOfWrongFlags has wrong flags before and behind -json.
func TestJSONOfWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-json"},
		{"-json", "-bogus"},
		{"-bogus", "-json"},
		{"-json", "-url", "nothing", "--", "x"},
	} {
		var out, errs strings.Builder
		code := run(t.Context(), args, &out, &errs)
		var res drain.Result
		if err := json.Unmarshal([]byte(out.String()), &res); err != nil || code != exitError || res.Verdict != drain.Error || res.Error == "" {
			t.Errorf("run(%q) = %d, %q, want a JSON result with the error", args, code, out.String())
		}
	}
}

// TestReasonsAlike has many rounds that failed alike.
func TestReasonsAlike(t *testing.T) {
	res := &drain.Result{Verdict: drain.Fail}
	for i := range 30 {
		r := drain.Round{Round: i + 1, Verdict: drain.Fail, Reasons: []string{strings.Repeat("1", i%7+1) + " of 99 requests lost"}}
		if i == 4 {
			r.Reasons = append(r.Reasons, "still running 30s after the signal, killed")
		}
		res.Rounds = append(res.Rounds, r)
	}
	var b strings.Builder
	writeReasons(&b, res)
	if got := b.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "rounds 1, 2, 3, 4, 6,") ||
		!strings.Contains(got, "round 5: requests lost; still running") {
		t.Errorf("reasons:\n%s", got)
	}
}
