//go:build unix

package fxshutdown_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// BenchmarkConnectionAge compares 10,000 idle connections with and without
// MaxConnectionAge: bytes per connection that is not too old yet, the processor time of a
// second in which none becomes too old, and the keeper's processor time for retiring one.
// An iteration takes half a minute:
//
//	go test -run '^$' -bench ConnectionAge -benchtime 1x ./fxshutdown
func BenchmarkConnectionAge(b *testing.B) {
	const age = 10 * time.Second
	n := min(10_000, maxConnections(b))
	costOfAge(b, n, 0, 0) // fills the pools of net/http
	var bytes, more, idle, young, retire []float64
	for range b.N {
		off, on := costOfAge(b, n, 0, age), costOfAge(b, n, age, age)
		bytes = append(bytes, on.bytes)
		more = append(more, on.bytes-off.bytes)
		idle = append(idle, off.second)
		young = append(young, on.second)
		retire = append(retire, (on.rest-off.rest)*1000/float64(n))
	}
	b.ReportMetric(median(bytes), "B/conn")
	b.ReportMetric(median(more), "more-B/conn")
	b.ReportMetric(median(idle), "off-cpu-ms/s")
	b.ReportMetric(median(young), "on-cpu-ms/s")
	b.ReportMetric(median(retire), "retire-cpu-µs/conn")
	b.ReportMetric(float64(n), "conns")
	b.ReportMetric(0, "ns/op")
}

// ageCost is what a server with idle connections takes.
type ageCost struct {
	bytes  float64 // per connection
	second float64 // ms of processor time in the first second
	rest   float64 // the same, from then on until all are too old
}

// costOfAge returns the cost of n idle connections with a maximum age; 0 means none. It
// watches them until all would be too old with a maximum age of upTo; 0 means not at all.
func costOfAge(b *testing.B, n int, age, upTo time.Duration) (cost ageCost) {
	b.Helper()
	ctx := context.Background()
	s, err := fxshutdown.New(&http.Server{Addr: "127.0.0.1:0", Handler: benchHandler}, fxshutdown.Config{MaxConnectionAge: age})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(ctx); err != nil {
		b.Fatal(err)
	}
	defer s.Stop(ctx)
	before := memory()
	end := clientsElsewhere(b, idleHTTP1, s.Addr().String(), n)
	defer end()
	cost.bytes = float64(memory()-before) / float64(n)
	if upTo == 0 {
		return cost
	}
	cost.second = cpuOf(func() { time.Sleep(time.Second) })
	wantRetired(b, s, 0)
	cost.rest = cpuOf(func() { time.Sleep(upTo + upTo/10) })
	if age > 0 {
		wantRetired(b, s, n)
	}
	return cost
}

func wantRetired(b *testing.B, s *fxshutdown.Server, n int) {
	b.Helper()
	if retired := int(s.Stats().Retired); retired != n {
		b.Errorf("%d connections are too old, want %d", retired, n)
	}
}
