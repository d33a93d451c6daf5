package results

import "slices"

// A Summary is the median of some numbers and their range.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// MiddleHalf returns the range of the middle half of some numbers: what is left without the lowest and the highest
// quarter.
func MiddleHalf(values []float64) (low, high float64) {
	n := len(values)
	if n == 0 {
		return 0, 0
	}
	v := slices.Sorted(slices.Values(values))
	return v[n/4], v[n-1-n/4]
}

// Summarize sums numbers up. The median of an even count is the mean of the two in the middle.
func Summarize(values []float64) Summary {
	n := len(values)
	if n == 0 {
		return Summary{}
	}
	v := slices.Sorted(slices.Values(values))
	return Summary{N: n, Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}
