package main

import "testing"

func TestCompare(t *testing.T) {
	r := newRecord(2)
	for _, id := range []int64{1, 2, 3, 3} {
		r.begin(id)
	}
	select {
	case <-r.ready():
	default:
		t.Error("the record is not ready after two requests")
	}
	got, err := r.compare([]result{
		{1, "ok", ""},
		{2, "fail", "GOAWAY"},
		{3, "fail", "timeout"},
		{4, "fail", "GOAWAY"},
		{5, "never", "connection refused"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.answered != 1 || got.lost != 2 || got.refused != 1 || got.never != 1 || got.hung != 1 || got.twice != 1 {
		t.Errorf("compare() = %+v", got)
	}
	if n := got.texts["lost: GOAWAY"]; n != 1 {
		t.Errorf("texts = %v, want one lost by GOAWAY", got.texts)
	}
}

func TestCompareContradictions(t *testing.T) {
	for name, results := range map[string][]result{
		"AnsweredUnseen": {{1, "ok", ""}, {2, "ok", ""}},
		"Twice":          {{1, "ok", ""}, {1, "fail", ""}},
		"Forgotten":      {},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecord(1)
			r.begin(1)
			if _, err := r.compare(results); err == nil {
				t.Error("compare() = nil, want an error")
			}
		})
	}
}

func TestParse(t *testing.T) {
	got, err := parse("fail 12 /127.0.0.1:4711: GOAWAY received")
	if want := (result{12, "fail", "/N.N.N.N:N: GOAWAY received"}); err != nil || got != want {
		t.Errorf("parse() = %v, %v; want %v", got, err, want)
	}
	for _, line := range []string{"", "ok", "ok x", "Exception in thread"} {
		if got, err := parse(line); err == nil {
			t.Errorf("parse(%q) = %v, want an error", line, got)
		}
	}
}
