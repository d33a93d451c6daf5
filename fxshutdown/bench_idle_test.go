package fxshutdown_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// idle makes n connections that have had a response each.
func idle(b *testing.B, addr string, n int) []*benchClient {
	b.Helper()
	conns := make([]*benchClient, n)
	for i := range conns {
		conns[i] = dialBench(b, addr)
		conns[i].buf = nil
	}
	return conns
}

// BenchmarkConnection shows what an idle connection costs more than a bare one.
func BenchmarkConnection(b *testing.B) {
	const n = 2000
	cost := func(ours bool) float64 {
		s := benchServer(b, ours, benchHandler, nil)
		before := memory()
		conns := idle(b, s.addr, n)
		used := memory() - before
		for _, c := range conns {
			c.Close()
		}
		s.stop()
		return float64(used) / n
	}
	cost(true) // fills the pools of net/http
	var more []float64
	for range b.N {
		more = append(more, cost(true)-cost(false))
	}
	b.ReportMetric(median(more), "more-B/conn")
	b.ReportMetric(0, "ns/op")
}

func memory() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// idleElsewhere makes n idle connections from a process of its own: both ends
// of 10,000 are more descriptors than a process may have on many machines.
func idleElsewhere(b *testing.B, addr string, n int) (end func()) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), idleEnv+"="+addr+" "+fmt.Sprint(n))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		b.Fatalf("the process with the idle connections: %v", err)
	}
	return func() {
		in.Close()
		cmd.Wait()
	}
}

const idleEnv = "FXSHUTDOWN_BENCH_IDLE"

// init is the other process of idleElsewhere.
func init() {
	var addr string
	var n int
	if _, err := fmt.Sscan(os.Getenv(idleEnv), &addr, &n); err != nil {
		return
	}
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		conns[i] = c
		c.Write(benchRequest)
		if _, err := c.Read(make([]byte, 4<<10)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Print("ready")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns)
	os.Exit(0)
}

// BenchmarkStopIdle compares the time of a stop with idle connections that
// have been quiet for longer than IdleGrace.
func BenchmarkStopIdle(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pairs(b, "ms", func(b *testing.B, ours bool) float64 {
				s := benchServer(b, ours, benchHandler, nil)
				end := idleElsewhere(b, s.addr, n)
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
