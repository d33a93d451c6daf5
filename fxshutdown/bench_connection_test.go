package fxshutdown_test

import (
	"crypto/tls"
	"runtime"
	"testing"
)

// BenchmarkConnection shows how many bytes an idle connection costs more than a bare one,
// on the heap and in stacks.
func BenchmarkConnection(b *testing.B) {
	cert, _ := benchHTTP2(b)
	for _, bb := range []struct {
		name, kind string
		cert       *tls.Certificate
		n          int
	}{
		{"h1", idleHTTP1, nil, 2000},
		{"h2", idleHTTP2, cert, 1000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			cost := func(ours bool) float64 {
				s := benchServer(b, ours, benchHandler, bb.cert)
				before := memory()
				end := clientsElsewhere(b, bb.kind, s.addr, bb.n)
				used := memory() - before
				end()
				s.stop()
				return float64(used) / float64(bb.n)
			}
			cost(true) // fills the pools of net/http
			var costs, more []float64
			for range b.N {
				bare, ours := cost(false), cost(true)
				costs = append(costs, ours)
				more = append(more, ours-bare)
			}
			b.ReportMetric(median(costs), "B/conn")
			b.ReportMetric(median(more), "more-B/conn")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// memory returns the bytes that the heap and the stacks hold after a garbage collection.
func memory() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
