//go:build unix

package fxshutdown_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// BenchmarkStopDripping shows how long a stop takes whose clients send a byte of a
// header, or of a TLS handshake, every 50 to 200 ms: IdleGrace, half a second, and the
// time for closing so many connections. To compare the latter, it shows how long
// http.Server.Close of a bare server with such clients takes, which waits for nothing.
// The clients are a process of their own; 10,000 of them keep a core busy.
func BenchmarkStopDripping(b *testing.B) {
	for _, bb := range []struct {
		name, kind string
		cert       *tls.Certificate
		clients    int
	}{
		{"h1", dripHTTP1, nil, 10_000},
		{"tls", dripTLS, &certificate, 2000},
	} {
		b.Run(bb.name, func(b *testing.B) {
			n := bb.clients
			if most := maxConnections(b); n > most {
				b.Logf("%d clients instead of %d: a process may have no more descriptors", most, n)
				n = most
			}
			var took, processor, closing []float64
			for b.Loop() {
				d, p := dripAndStop(b, bb.cert, bb.kind, n)
				took, processor = append(took, float64(d)/1e6), append(processor, float64(p)/1e6)
				closing = append(closing, float64(dripAndClose(b, bb.cert, bb.kind, n))/1e6)
			}
			b.ReportMetric(median(took), "stop-ms")
			b.ReportMetric(median(processor), "closing-cpu-ms")
			b.ReportMetric(median(closing), "bare-close-ms")
			b.ReportMetric(float64(n), "clients")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// dripAndStop returns how long the stop of a server with n clients that drip takes, and
// the processor time since the clients' time was over.
func dripAndStop(b *testing.B, cert *tls.Certificate, kind string, n int) (took, processor time.Duration) {
	s, err := fxshutdown.New(drippedServer(cert), fxshutdown.Config{TLS: cert != nil})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	end := clientsElsewhere(b, kind, s.Addr().String(), n)
	defer end()
	time.Sleep(time.Second)
	if open := s.Stats().Open(); open != n {
		b.Fatalf("%d connections are open, want %d", open, n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(ctx) }()
	time.Sleep(grace + 300*ms)
	before := cpu()
	if err := <-stopped; err != nil {
		b.Errorf("Stop() = %v, want nil", err)
	}
	return s.Report().Duration, cpu() - before
}

// dripAndClose returns how long Close of a bare server with such clients takes.
func dripAndClose(b *testing.B, cert *tls.Certificate, kind string, n int) time.Duration {
	srv := drippedServer(cert)
	ln := listen(b, "tcp", srv.Addr)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if cert != nil {
			srv.ServeTLS(ln, "", "")
		} else {
			srv.Serve(ln)
		}
	}()
	end := clientsElsewhere(b, kind, ln.Addr().String(), n)
	defer end()
	time.Sleep(time.Second)
	began := time.Now()
	srv.Close()
	took := time.Since(began)
	<-served
	return took
}

func drippedServer(cert *tls.Certificate) *http.Server {
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: benchHandler, ErrorLog: log.New(io.Discard, "", 0)}
	if cert != nil {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}}
	}
	return srv
}

// maxConnections is how many descriptors this process may have, less some for the rest.
func maxConnections(b *testing.B) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	return int(limit.Cur) - 100
}
