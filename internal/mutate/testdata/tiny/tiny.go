// Package tiny is mutated by the test of mutate.
package tiny

// Max has a mutant that changes nothing: a >= b.
func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// Drain has a mutant that never ends.
func Drain(n int) int {
	for n > 0 {
		n--
	}
	return n
}

// Untested has no test.
func Untested(p *int) {
	*p = 1
}
