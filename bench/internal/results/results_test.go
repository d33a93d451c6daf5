package results

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/fxshutdown/fxhttp/bench/internal/load"
	"github.com/fxshutdown/fxhttp/bench/internal/probe"
	"github.com/fxshutdown/fxhttp/bench/internal/steady"
	"github.com/fxshutdown/fxhttp/bench/internal/subject"
)

var (
	silent = probe.Obstacle{ID: "silent", Title: "silent"}
	stuck  = probe.Obstacle{ID: "stuck", Title: "stuck", Stuck: true}
)

// sample has ours and another, measured twice each.
func sample() *Results {
	r := &Results{
		Schema:    Schema,
		Settings:  Settings{Rounds: 2, LimitMS: 15000, StuckMS: 3000, GraceMS: 5000, Sufficient: 2},
		Subjects:  []subject.Subject{{ID: "fxhttp", Ours: true}, {ID: "nethttp"}, {ID: "manners"}},
		Loads:     []load.Kind{{ID: "keepalive"}, {ID: "slow"}},
		Obstacles: []probe.Obstacle{silent, stuck},
	}
	r.AddLost("fxhttp", "keepalive", load.Counts{Sent: 100})
	r.AddLost("fxhttp", "keepalive", load.Counts{Sent: 110, Lost: 1})
	r.AddLost("nethttp", "keepalive", load.Counts{Sent: 100, Lost: 30, RefusedStreams: 2})
	r.AddLost("nethttp", "keepalive", load.Counts{Sent: 100, Lost: 50, Killed: true})
	r.AddLost("fxhttp", "slow", load.Counts{Sent: 4})
	r.AddLost("nethttp", "slow", load.Counts{Sent: 4})
	for _, ms := range []float64{10, 12} {
		r.AddStop("fxhttp", "silent", probe.Time{MS: ms})
		r.AddStop("nethttp", "silent", probe.Time{MS: 500 * ms})
		r.AddStop("manners", "silent", probe.Time{MS: ms - 9})
	}
	r.AddStop("fxhttp", "stuck", probe.Time{MS: 2700})
	r.AddStop("fxhttp", "stuck", probe.Time{MS: 2710})
	r.AddStop("nethttp", "stuck", probe.Time{MS: 3001})
	r.AddStop("manners", "stuck", probe.Time{MS: 8000, Killed: true})
	for _, ratio := range []float64{0.98, 1.02} {
		r.AddThroughput("nethttp", "nethttp", steady.Throughput{Ratio: ratio, Rate: 1000})
		r.AddThroughput("fxhttp", "nethttp", steady.Throughput{Ratio: ratio - 0.1, Rate: 900})
	}
	r.AddMemory("nethttp", "nethttp", 8000, 8000)
	r.AddMemory("fxhttp", "nethttp", 8400, 8000)
	r.Sum()
	return r
}

func TestSum(t *testing.T) {
	r := sample()
	c := r.LostCell("nethttp", "keepalive")
	if c.Sent != 200 || c.Lost != 80 || c.Refused != 2 || c.Killed != 1 || c.PerStop != (Summary{2, 40, 30, 50}) {
		t.Errorf("the sum is %+v, want 80 of 200 lost, 2 refused, 1 killed, 30 to 50 a stop", c)
	}
	if got := r.StopCell("fxhttp", "silent").MS; got != (Summary{2, 11, 10, 12}) {
		t.Errorf("the times are %+v, want 11 (10–12)", got)
	}
	if got := r.SteadyCell("fxhttp").Memory.Median; got != 1.05 {
		t.Errorf("the memory ratio is %v, want 1.05", got)
	}
	r.Sum()
	if again := r.LostCell("nethttp", "keepalive"); again.Sent != 200 {
		t.Errorf("after a second Sum %d were sent, want 200 still", again.Sent)
	}
}

func TestLimits(t *testing.T) {
	r := sample()
	for _, tt := range []struct {
		subject  string
		obstacle probe.Obstacle
		at       bool
		enough   bool
	}{
		{"fxhttp", silent, false, false},
		{"nethttp", silent, false, false},
		{"fxhttp", stuck, true, true},
		{"nethttp", stuck, true, false}, // once only
	} {
		if got := r.StopCell(tt.subject, tt.obstacle.ID).AtLimit; got != tt.at {
			t.Errorf("%s, %s: at the limit = %v, want %v", tt.subject, tt.obstacle.ID, got, tt.at)
		}
		if got := r.Enough(tt.subject, tt.obstacle); got != tt.enough {
			t.Errorf("%s, %s: Enough() = %v, want %v", tt.subject, tt.obstacle.ID, got, tt.enough)
		}
	}
}

func TestStandings(t *testing.T) {
	got := map[string]Standing{}
	for _, s := range sample().Standings() {
		got[s.Column] = s
	}
	for _, want := range []Standing{
		{Column: "lost/keepalive", First: []string{"fxhttp"}},
		{Column: "lost/slow", First: []string{"fxhttp", "nethttp"}},
		{Column: "stop/silent", First: []string{"manners"}, Behind: []string{"fxhttp"}},
		{Column: "stop/stuck", First: []string{"fxhttp", "nethttp"}},
		{Column: "steady/throughput", First: []string{"nethttp"}, Behind: []string{"fxhttp"}},
		{Column: "steady/memory", First: []string{"nethttp"}, Behind: []string{"fxhttp"}},
	} {
		if !reflect.DeepEqual(got[want.Column], want) {
			t.Errorf("%s: %+v, want %+v", want.Column, got[want.Column], want)
		}
	}
}

func TestAnnotate(t *testing.T) {
	r := sample()
	missing := r.Annotate(map[string]string{
		"stop/silent":              "for both of ours",
		"steady/throughput/fxhttp": "for this one",
		"lost/keepalive":           "not needed, since we are first",
	})
	if want := []string{"steady/memory/fxhttp"}; !slices.Equal(missing, want) {
		t.Errorf("Annotate() = %v, want %v", missing, want)
	}
	if got := r.StopCell("fxhttp", "silent").Note; got != "for both of ours" {
		t.Errorf("the note is %q", got)
	}
	if got := r.SteadyCell("fxhttp").ThroughputNote; got != "for this one" {
		t.Errorf("the note is %q", got)
	}
	if got := r.LostCell("fxhttp", "keepalive").Note; got != "" {
		t.Errorf("where we are first the note is %q, want none", got)
	}
}

func TestWriteRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.json")
	r := sample()
	if err := r.Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("read %+v, want what was written", got)
	}
}
