// Package unsteady is mutated by the test of mutate.
package unsteady

// Set has a mutant that a test notices once.
func Set(p *int) {
	*p = 1
}
