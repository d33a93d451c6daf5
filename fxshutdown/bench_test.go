package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// The benchmarks compare with a bare http.Server in the same run, pair by pair, and
// report the median of the ratios: on a shared machine absolute times say little. A
// benchmark that reports a ratio needs several pairs:
//
//	go test -run '^$' -bench . ./fxshutdown
//	go test -run '^$' -bench 'Stop.*CPU|Connection' -benchtime 7x ./fxshutdown

// benched is a server under benchmark, bare or ours.
type benched struct {
	addr string
	stop func()
}

func benchServer(b *testing.B, ours bool, h http.Handler, cert *tls.Certificate) benched {
	b.Helper()
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: h}
	if cert != nil {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
	}
	ctx := context.Background()
	if ours {
		s, err := fxshutdown.New(srv, fxshutdown.Config{TLS: cert != nil})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Start(ctx); err != nil {
			b.Fatal(err)
		}
		return benched{s.Addr().String(), func() { s.Stop(ctx) }}
	}
	ln, err := net.Listen("tcp", srv.Addr)
	if err != nil {
		b.Fatal(err)
	}
	if cert != nil {
		go srv.ServeTLS(ln, "", "")
	} else {
		go srv.Serve(ln)
	}
	return benched{ln.Addr().String(), func() { srv.Shutdown(ctx) }}
}

var kinds = []struct {
	name string
	ours bool
}{{"bare", false}, {"fxshutdown", true}}

var benchHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header()["Date"] = nil
	io.WriteString(w, "hello, world")
})

// BenchmarkRequest shows allocations and bytes of a request.
func BenchmarkRequest(b *testing.B) {
	for _, kind := range kinds {
		b.Run("h1/"+kind.name, func(b *testing.B) {
			s := benchServer(b, kind.ours, benchHandler, nil)
			defer s.stop()
			c, err := dialBench(s.addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			b.ReportAllocs()
			for b.Loop() {
				if err := c.roundTrip(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	cert, tr := benchHTTP2(b)
	for _, kind := range kinds {
		b.Run("h2/"+kind.name, func(b *testing.B) {
			s := benchServer(b, kind.ours, benchHandler, cert)
			defer s.stop()
			defer tr.CloseIdleConnections()
			b.ReportAllocs()
			for b.Loop() {
				if err := http2RoundTrip(tr, s.addr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// pairs runs both kinds b.N times, in turn and in changing order, and reports
// the median of ours/bare.
func pairs(b *testing.B, unit string, measure func(b *testing.B, ours bool) float64) {
	b.Helper()
	var ratios, values []float64
	for i := range b.N {
		ours := i%2 == 0
		first := measure(b, ours)
		second := measure(b, !ours)
		if !ours {
			first, second = second, first
		}
		ratios = append(ratios, first/second)
		values = append(values, first)
	}
	b.ReportMetric(median(ratios), "ratio-to-bare")
	b.ReportMetric(median(values), unit)
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// BenchmarkThroughput compares requests per second under 16 busy clients.
func BenchmarkThroughput(b *testing.B) {
	const window, clients = 250 * time.Millisecond, 16
	b.Run("h1", func(b *testing.B) {
		pairs(b, "requests/s", func(b *testing.B, ours bool) float64 {
			s := benchServer(b, ours, benchHandler, nil)
			defer s.stop()
			conns := make([]*benchClient, clients)
			for i := range conns {
				c, err := dialBench(s.addr)
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				conns[i] = c
			}
			return rate(window, clients, func(i int) error { return conns[i].roundTrip() })
		})
	})
	cert, tr := benchHTTP2(b)
	b.Run("h2", func(b *testing.B) {
		pairs(b, "requests/s", func(b *testing.B, ours bool) float64 {
			s := benchServer(b, ours, benchHandler, cert)
			defer s.stop()
			defer tr.CloseIdleConnections()
			if err := http2RoundTrip(tr, s.addr); err != nil {
				b.Fatal(err)
			}
			return rate(window, clients, func(int) error { return http2RoundTrip(tr, s.addr) })
		})
	})
}

// rate returns how often per second n goroutines can do f.
func rate(window time.Duration, n int, f func(i int) error) float64 {
	var wg sync.WaitGroup
	counts := make([]int, n)
	begin := time.Now()
	for i := range n {
		wg.Go(func() {
			for time.Since(begin) < window && f(i) == nil {
				counts[i]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, c := range counts {
		total += c
	}
	return float64(total) / time.Since(begin).Seconds()
}

// BenchmarkDownload compares the time of a file of 64 MiB through sendfile.
func BenchmarkDownload(b *testing.B) {
	name := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(name, make([]byte, 64<<20), 0o600); err != nil {
		b.Fatal(err)
	}
	file := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	pairs(b, "MiB/s", func(b *testing.B, ours bool) float64 {
		s := benchServer(b, ours, file, nil)
		defer s.stop()
		begin := time.Now()
		resp, err := http.Get("http://" + s.addr)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		http.DefaultClient.CloseIdleConnections()
		return 64 / time.Since(begin).Seconds()
	})
}
