//go:build unix

package fxshutdown_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// BenchmarkStopRequestsCPU compares the processor time of a stop with 10,000 requests,
// which end evenly over 2 s.
func BenchmarkStopRequestsCPU(b *testing.B) {
	const n, over = 10_000, 2 * time.Second
	pairs(b, "cpu-ms", func(b *testing.B, ours bool) float64 {
		var running atomic.Int64
		allRunning, stopping := make(chan struct{}), make(chan struct{})
		s := benchServer(b, ours, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			i := running.Add(1)
			if i == n {
				close(allRunning)
			}
			<-stopping
			time.Sleep(time.Duration(i) * over / n)
			io.WriteString(w, "hello, world")
		}), nil)
		end := clientsElsewhere(b, busyHTTP1, s.addr, n)
		defer end()
		select {
		case <-allRunning:
		case <-time.After(time.Minute):
			b.Fatalf("%d requests run after a minute, want %d", running.Load(), n)
		}
		return cpuOf(func() {
			close(stopping)
			s.stop()
		})
	})
}

// BenchmarkStopIdleCPU compares the processor time of a stop with 2,000 idle connections.
func BenchmarkStopIdleCPU(b *testing.B) {
	cert, _ := benchHTTP2(b)
	for _, bb := range []struct {
		name, kind string
		cert       *tls.Certificate
	}{
		{"h1", idleHTTP1, nil},
		{"h2", idleHTTP2, cert},
	} {
		b.Run(bb.name, func(b *testing.B) {
			pairs(b, "cpu-ms", func(b *testing.B, ours bool) float64 {
				s := benchServer(b, ours, benchHandler, bb.cert)
				end := clientsElsewhere(b, bb.kind, s.addr, 2000)
				defer end()
				time.Sleep(fxshutdown.DefaultIdleGrace)
				return cpuOf(s.stop)
			})
		})
	}
}

// cpuOf returns how many milliseconds of processor time this process takes while f runs,
// in user mode and in the kernel.
func cpuOf(f func()) float64 {
	runtime.GC() // earlier garbage does not count for f
	before := cpu()
	f()
	return float64(cpu()-before) / 1e6
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
