package fxshutdown_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// BenchmarkStopNothing shows how long a stop takes that has nothing in its way: the time
// for the filter for new handshakes, and for one question to the kernel.
func BenchmarkStopNothing(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			var took []float64
			for b.Loop() {
				s := benchServer(b, kind.ours, benchHandler, nil)
				begin := time.Now()
				s.stop()
				took = append(took, float64(time.Since(begin))/1e6)
			}
			b.ReportMetric(median(took), "ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkStopIdle compares the time of a stop with idle connections that
// have been quiet for longer than IdleGrace.
func BenchmarkStopIdle(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pairs(b, "ms", func(b *testing.B, ours bool) float64 {
				s := benchServer(b, ours, benchHandler, nil)
				end := clientsElsewhere(b, idleHTTP1, s.addr, n)
				defer end()
				time.Sleep(fxshutdown.DefaultIdleGrace)
				begin := time.Now()
				s.stop()
				return float64(time.Since(begin)) / 1e6
			})
		})
	}
}

// BenchmarkStopAfterLastResponse shows how long after the last byte of the last
// response a stop returns. The response says close, and the client obeys.
func BenchmarkStopAfterLastResponse(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			var took []float64
			for b.Loop() {
				running := make(chan struct{})
				s := benchServer(b, kind.ours, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(running)
					time.Sleep(300 * time.Millisecond)
					io.WriteString(w, "done")
				}), nil)
				c, err := net.Dial("tcp", s.addr)
				if err != nil {
					b.Fatal(err)
				}
				c.Write([]byte("GET / HTTP/1.1\r\nHost: bench\r\n\r\n"))
				<-running
				var returned time.Time
				stopped := make(chan struct{})
				go func() {
					defer close(stopped)
					s.stop()
					returned = time.Now()
				}()
				if _, err := io.Copy(io.Discard, c); err != nil {
					b.Fatal(err)
				}
				last := time.Now()
				c.Close()
				<-stopped
				took = append(took, float64(returned.Sub(last))/1e6)
			}
			b.ReportMetric(median(took), "ms-after")
			b.ReportMetric(0, "ns/op")
		})
	}
}
