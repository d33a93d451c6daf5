package report

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/results"
	"github.com/fxshutdown/fxhttp/bench/internal/steady"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

var update = flag.Bool("update", false, "write the golden files")

// sample has every kind of cell: first, behind with a note, at the limit, killed, not offered.
func sample() *results.Results {
	r := &results.Results{
		Schema:    results.Schema,
		Date:      "2026-01-02",
		Machine:   results.Machine{OS: "linux", Arch: "amd64", CPUs: 2, Go: "go1.26.8", Node: "v20.20.2"},
		Settings:  results.Settings{Rounds: 2, LimitMS: 15000, StuckMS: 3000, GraceMS: 5000, ReadHeaderMS: 10000, IdleMS: 120000},
		Subjects:  []subject.Subject{{ID: "fxhttp", Name: "fxhttp & Fx", Runtime: subject.Go, Ours: true}, {ID: "nethttp", Name: "net/http", Runtime: subject.Go}, {ID: "close", Name: "server.close", Runtime: subject.Node}},
		Absent:    []results.Absent{{Name: "a peer", Reason: "it could not be fetched"}},
		Loads:     []load.Kind{{ID: "keepalive", Title: "keep-alive"}, {ID: "h2", Title: "HTTP/2"}, {ID: "late", Title: "late", OneRequest: true}},
		Obstacles: []probe.Obstacle{{ID: "idle", Title: "idle"}, {ID: "stuck", Title: "stuck handler", Stuck: true}},
		Failures:  []string{"close with idle"},
	}
	for _, lost := range []int{40, 60} {
		r.AddLost("fxhttp", "keepalive", load.Counts{Sent: 1000})
		r.AddLost("nethttp", "keepalive", load.Counts{Sent: 1000, Lost: lost})
		r.AddLost("close", "keepalive", load.Counts{Sent: 500, Lost: lost / 2})
		r.AddLost("fxhttp", "h2", load.Counts{Sent: 1000, RefusedStreams: 1})
		r.AddLost("nethttp", "h2", load.Counts{Sent: 1000, RefusedStreams: 9})
		r.AddLost("nethttp", "late", load.Counts{Sent: 10, Lost: 10, ClosedIdle: 54})
		r.AddStop("fxhttp", "idle", probe.Time{MS: 250 + float64(lost)/10})
		r.AddStop("nethttp", "idle", probe.Time{MS: 1.5})
		r.AddStop("fxhttp", "stuck", probe.Time{MS: 2700})
		r.AddStop("nethttp", "stuck", probe.Time{MS: 3001})
		r.AddStop("close", "stuck", probe.Time{MS: 8000, Killed: true})
		ratio := 1 + float64(lost-50)/500
		r.AddThroughput("fxhttp", "nethttp", steady.Throughput{Ratio: ratio - 0.01, Rate: 49000, CPU: 1.05})
		r.AddThroughput("nethttp", "nethttp", steady.Throughput{Ratio: ratio, Rate: 50000, CPU: 1})
		r.AddThroughput("close", "close", steady.Throughput{Ratio: ratio, Rate: 20000, CPU: 1})
		r.AddMemory("fxhttp", "nethttp", 8400, 8000)
		r.AddMemory("nethttp", "nethttp", 8000, 8000)
		r.AddMemory("close", "close", 2000, 2000)
	}
	r.Sum()
	r.Annotate(map[string]string{"stop/idle": "We wait for a moment.", "steady/memory": "What a stop needs to know."})
	return r
}

func TestGolden(t *testing.T) {
	for name, got := range map[string]string{
		"table.md": Table(sample()),
		"lost.svg": LostPlot(sample()),
		"stop.svg": StopPlot(sample()),

		"steady.txt": Steady(sample()),
	} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s\nwant\n%s\n(-update if it is meant to change)", name, got, want)
		}
	}
}

func TestPlotsAreXMLForLightAndDark(t *testing.T) {
	for _, svg := range []string{LostPlot(sample()), StopPlot(sample()), LostPlot(&results.Results{})} {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for _, extreme := range []string{"#fff", "#000", "white", "black", "prefers-color-scheme"} {
			if strings.Contains(svg, extreme) {
				t.Errorf("the plot contains %q, which one of the two cannot show", extreme)
			}
		}
	}
}

func TestMillis(t *testing.T) {
	for ms, want := range map[float64]string{0.04: "0.0 ms", 1.25: "1.2 ms", 9.96: "10 ms", 254.6: "255 ms", 999.6: "1.0 s", 5310: "5.3 s", 15002: "15 s"} {
		if got := millis(ms); got != want {
			t.Errorf("millis(%v) = %q, want %q", ms, got, want)
		}
	}
}
