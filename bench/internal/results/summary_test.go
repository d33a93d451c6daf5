package results

import "testing"

func TestSummarize(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   Summary
	}{
		{nil, Summary{}},
		{[]float64{7}, Summary{1, 7, 7, 7}},
		{[]float64{9, 1, 5}, Summary{3, 5, 1, 9}},
		{[]float64{4, 1, 2, 9}, Summary{4, 3, 1, 9}},
	} {
		if got := Summarize(tt.values); got != tt.want {
			t.Errorf("Summarize(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
}
