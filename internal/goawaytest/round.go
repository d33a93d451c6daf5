package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// stopMost is the time that a stop gets, as a container would give it.
	stopMost = 5 * time.Second
	// warmUp is the shortest time for which a client is busy before the stop.
	warmUp = 100 * time.Millisecond
)

// ids are never used twice.
var nextID atomic.Int64

func runRow(d driver, c client, columns []policy, rounds int, cert *tls.Certificate, r *row) error {
	// The first round of a process is slow; it does not count.
	if _, _, err := oneRound(d, c, columns[0], cert); err != nil {
		return fmt.Errorf("%s, to warm up: %w", c.name, err)
	}
	for range rounds {
		for i, p := range columns {
			n, took, err := oneRound(d, c, p, cert)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", c.name, p.name, err)
			}
			r.cells[i].counts.add(n)
			r.cells[i].took = append(r.cells[i].took, took)
		}
	}
	return nil
}

// oneRound serves the client, stops the server under it and compares what both
// know.
func oneRound(d driver, c client, p policy, cert *tls.Certificate) (counts, time.Duration, error) {
	rec := newRecord(3 * c.spec.workers)
	s := c.spec
	if !s.tls {
		cert = nil
	}
	srv, err := start(p, cert, (&work{rec, s.slow}).handler())
	if err != nil {
		return counts{}, 0, err
	}
	s.addr = srv.addr.String()
	s.first = nextID.Add(1_000_000)

	type outcome struct {
		results []result
		err     error
	}
	over := make(chan outcome, 1)
	go func() {
		results, err := d.round(s)
		over <- outcome{results, err}
	}()

	var early *outcome
	select {
	case <-rec.ready():
		// At a moment that does not depend on the requests.
		time.Sleep(warmUp + rand.N(20*time.Millisecond))
	case o := <-over:
		early = &o
	case <-time.After(roundMost):
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopMost)
	defer cancel()
	took := srv.stop(ctx)
	if early == nil {
		o := <-over
		early = &o
	}
	if early.err != nil {
		return counts{}, took, early.err
	}
	n, err := rec.compare(early.results)
	return n, took, err
}
