package results

import "testing"

func TestMiddleHalf(t *testing.T) {
	for _, tt := range []struct {
		values    []float64
		low, high float64
	}{
		{nil, 0, 0},
		{[]float64{7}, 7, 7},
		{[]float64{3, 1, 2}, 1, 3},
		{[]float64{4, 1, 2, 9}, 2, 4},
		{[]float64{8, 1, 2, 3, 4, 5, 6, 7}, 3, 6},
	} {
		if low, high := MiddleHalf(tt.values); low != tt.low || high != tt.high {
			t.Errorf("MiddleHalf(%v) = %v, %v, want %v, %v", tt.values, low, high, tt.low, tt.high)
		}
	}
}

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
