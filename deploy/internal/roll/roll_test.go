package roll

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/deploy/internal/recipe"
	"github.com/fxshutdown/fxhttp/deploy/internal/results"
)

func TestAccount(t *testing.T) {
	const text = `{
		"total": {"sent": 100, "lost": 2, "refused_streams": 1, "refused_dials": 4, "dial_errors": 1, "slow": 5},
		"kinds": [
			{"kind": "keepalive", "statuses": {"200": {"before": 3, "during": 4}, "502": {"before": 1, "during": 6}}, "latency_during": {"p99_ms": 12}},
			{"kind": "newconn", "statuses": {"303": {"during": 4}, "503": {"during": 2}}, "latency_during": {"p99_ms": 20}},
			{"kind": "slow", "latency_during": {"p99_ms": 300}},
			{"kind": "websocket", "statuses": {"101": {"before": 4}}, "ends": {"polite": 3, "eof": 1}},
			{"kind": "stream", "latency_during": {"p99_ms": 500}, "ends": {"polite": 1, "reset": 1, "open": 1, "cut_before": 7}}
		],
		"causes": [{"cause": "idle", "count": 2}],
		"rounds": [{}]
	}`
	rep := new(report)
	if err := json.Unmarshal([]byte(text), rep); err != nil {
		t.Fatal(err)
	}
	var got results.Result
	rep.account(&got)
	want := results.Result{Sent: 100, Lost: 2, BadStatus: 9, Refused: 6, Slow: 5, P99: 20,
		Statuses: map[int]int{502: 7, 503: 2}, Causes: map[string]int{"idle": 2}, Ends: &results.Streams{Polite: 4, Cut: 3}}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

// scripted is a deployment that notes what it is told.
type scripted struct {
	calls []string
	fail  bool
}

func (s *scripted) URL() string { return "" }
func (s *scripted) Close()      {}

func (s *scripted) Stop(_ context.Context, i int) (recipe.Stopped, error) {
	s.calls = append(s.calls, "stop "+string(rune('0'+i)))
	if s.fail {
		return recipe.Stopped{}, errors.New("it does not want to")
	}
	return recipe.Stopped{Took: time.Duration(len(s.calls)) * time.Millisecond, Failed: i == 1}, nil
}

func (s *scripted) Start(_ context.Context, i int) error {
	s.calls = append(s.calls, "start "+string(rune('0'+i)))
	return nil
}

func TestSteps(t *testing.T) {
	d := new(scripted)
	s, err := listen(t.Context(), t.TempDir(), d, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, round := range []string{"1", "2", "3"} {
		for _, what := range []string{"stop", "start"} {
			if err := step(s.socket, what, round); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, want := strings.Join(d.calls, ", "), "stop 0, start 0, stop 1, start 1, stop 0, start 0"; got != want {
		t.Errorf("calls: %s, want %s", got, want)
	}
	if err := s.failed(); err != nil {
		t.Error(err)
	}
	d.fail = true
	if err := step(s.socket, "stop", "4"); err == nil || !strings.Contains(err.Error(), "stop 4: it does not want to") {
		t.Errorf("a stop that fails: %v", err)
	}
	if err := step(s.socket, "pause", "1"); err == nil {
		t.Error("an unknown step did not fail")
	}
	s.close()
	if s.failed() == nil {
		t.Error("the failure was forgotten")
	}
	if got, want := s.sum(), (results.Stops{Count: 3, Median: 3, Max: 5, Failed: 1}); got != want {
		t.Errorf("stops: %+v, want %+v", got, want)
	}
}
