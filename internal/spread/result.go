package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// result is what a stop looked like to its clients.
type result struct {
	options
	end     message
	lost    []error
	stalled time.Duration // the longest time for which the clients' process had no processor
	bins    []bin
}

// width is that of a bin; crowd is how many even shares there may be in one.
const (
	width = 100 * time.Millisecond
	crowd = 2
)

// bin has how many clients of each kind came within its width.
type bin [len(kinds)]int

func (b bin) all() (n int) {
	for _, of := range b {
		n += of
	}
	return n
}

// count puts the arrivals into bins.
func (r *result) count(came []arrival, began time.Time) {
	r.bins = make([]bin, (r.over+width-1)/width)
	for _, a := range came {
		i := int(a.at.Sub(began) / width)
		for len(r.bins) <= i {
			r.bins = append(r.bins, bin{})
		}
		r.bins[i][a.kind]++
	}
}

// evenShare is how many would come in each bin if all were as far apart.
func (r *result) evenShare() float64 {
	return float64(r.websockets+r.keepAlive) * float64(width) / float64(max(r.over, width))
}

// most is how many came in the fullest bin, and which that is.
func (r *result) most() (n, at int) {
	for i, b := range r.bins {
		if b.all() > n {
			n, at = b.all(), i
		}
	}
	return n, at
}

// print writes the histogram, and what follows from it.
func (r *result) print(w io.Writer) {
	const longest = 50
	most, at := r.most()
	fmt.Fprintf(w, "%8s %10s %10s %6s\n", "from", kinds[webSocket].name, kinds[keepAlive].name, "all")
	all := 0
	for i, b := range r.bins {
		n := b.all()
		all += n
		fmt.Fprintf(w, "%8v %10d %10d %6d %s\n", time.Duration(i)*width, b[webSocket], b[keepAlive], n, strings.Repeat("#", n*longest/max(most, 1)))
	}
	fmt.Fprintf(w, "%d of %d clients from %d addresses came back, %d were lost\n", all, r.websockets+r.keepAlive, r.addresses, len(r.lost))
	if r.over > 0 {
		fmt.Fprintf(w, "even share of 100ms: %.1f; most: %d from %v on, %.2f of it\n",
			r.evenShare(), most, time.Duration(at)*width, float64(most)/r.evenShare())
	} else {
		fmt.Fprintf(w, "most in 100ms: %d from %v on\n", most, time.Duration(at)*width)
	}
	fmt.Fprintf(w, "stop: %v of %v; longest stalls of the server's and the clients' process: %v, %v\n",
		r.end.Took.Round(time.Millisecond), r.budget(), r.end.Stalled.Round(time.Millisecond), r.stalled.Round(time.Millisecond))
}

// problems says what is wrong with a result.
func (r *result) problems() (all []string) {
	bad := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	const shown = 5
	for i, err := range r.lost {
		if i == shown {
			bad("lost: %d more", len(r.lost)-shown)
			break
		}
		bad("lost: %v", err)
	}
	if most, at := r.most(); r.over > 0 && float64(most) > crowd*r.evenShare() {
		bad("uneven: %d came in the 100ms from %v on, more than twice the even share of %.1f", most, time.Duration(at)*width, r.evenShare())
	}
	if r.end.Took > r.budget() {
		bad("the stop took %v of %v", r.end.Took, r.budget())
	}
	if r.end.Err != "" {
		bad("the stop failed: %s", r.end.Err)
	}
	return all
}
