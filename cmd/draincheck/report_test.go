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
		if strings.HasSuffix(name, ".html") && !strings.Contains(string(b), "the server read the request and never answered it") {
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

// TestVerdict has servers that failed although they lost nothing: the verdict says why.
func TestVerdict(t *testing.T) {
	const running, slow = "the process was still running 30s after the signal, and was killed", "3 answers took longer than 1s"
	round := func(reasons ...string) drain.Round { return drain.Round{Verdict: drain.Fail, Reasons: reasons} }
	for _, tt := range []struct {
		name   string
		lost   int
		rounds []drain.Round
		quiet  bool
		want   string
	}{
		{"Lost", 2, []drain.Round{round("2 of 99 requests lost", running)}, false,
			"FAIL: 2 of 99 requests lost\n  " + running + "\n"},
		{"NothingLost", 0, []drain.Round{round(running)}, false,
			"FAIL: " + running + " (0 of 99 requests lost)\n"},
		{"NothingLostForTwoReasons", 0, []drain.Round{round(slow, running)}, false,
			"FAIL: " + slow + " (0 of 99 requests lost)\n  " + running + "\n"},
		{"NothingLostInTwoRounds", 0, []drain.Round{round(running), round(slow)}, false,
			"FAIL: " + running + " (0 of 99 requests lost in 2 rounds)\n"},
		{"NothingLostQuiet", 0, []drain.Round{round(running), round(slow)}, true,
			"FAIL: " + running + " (0 of 99 requests lost in 2 rounds)\n  " + slow + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			writeVerdict(&b, &drain.Result{Verdict: drain.Fail, Total: drain.Counts{Sent: 99, Lost: tt.lost}, Rounds: tt.rounds}, tt.quiet)
			if b.String() != tt.want {
				t.Errorf("verdict = %q, want %q", b.String(), tt.want)
			}
		})
	}
}

// TestHoldsSayWhatHelps has a process that one kind of connection holds, and no other.
func TestHoldsSayWhatHelps(t *testing.T) {
	var b strings.Builder
	writeHolds(&b, &drain.Result{Holds: []drain.Hold{
		{Kind: "nothing", After: 4},
		{Kind: "silent", Held: true, After: 10000},
		{Kind: "keep-alive", After: 11},
		{Kind: "slow", Reason: "interrupted"},
	}})
	got := b.String()
	for _, want := range []string{
		"  without connections that stay open, the process ended after 4ms\n",
		"  with silent connections alone, the process was still running after 10s\n    what helps: ",
		"  with keep-alive connections alone, the process ended after 11ms\n",
		"  with slow connections alone, there was no result: interrupted\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the holds lack %q:\n%s", want, got)
		}
	}
	if strings.Count(got, "what helps") != 1 {
		t.Errorf("not only the connections that hold the process have a remedy:\n%s", got)
	}
}

// TestReasonsAlike has many rounds that failed alike.
func TestReasonsAlike(t *testing.T) {
	res := &drain.Result{Verdict: drain.Fail}
	for i := range 30 {
		r := drain.Round{Round: i + 1, Verdict: drain.Fail, Reasons: []string{strings.Repeat("1", i%7+1) + " of 99 requests lost"}}
		if i == 4 {
			r.Reasons = append(r.Reasons, "the process was still running 30s after the signal, and was killed")
		}
		res.Rounds = append(res.Rounds, r)
	}
	var b strings.Builder
	writeReasons(&b, res)
	if got := b.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "rounds 1, 2, 3, 4, 6,") ||
		!strings.Contains(got, "round 5: requests lost; the process was still running") {
		t.Errorf("reasons:\n%s", got)
	}
}
