package main

import (
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"testing"
)

// What it costs to configure an http.Server for a connection.
func BenchmarkConfigure(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		configured()
	}
}

// lean is what has to stay of a private server while its connection lives: the
// server, for its Shutdown, and the function that serves.
func lean() (*http.Server, any) {
	p, _ := configured()
	serve := p.TLSNextProto["h2"]
	p.TLSConfig, p.TLSNextProto = nil, nil
	return p, serve
}

// What a private server keeps alive.
func BenchmarkRetained(b *testing.B) {
	for _, kind := range []struct {
		name string
		make func() any
	}{
		{"whole", func() any { p, _ := configured(); return p }},
		{"lean", func() any { p, serve := lean(); return [2]any{p, serve} }},
	} {
		b.Run(kind.name, func(b *testing.B) {
			all := make([]any, 0, b.N)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for range b.N {
				all = append(all, kind.make())
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "B/server")
			runtime.KeepAlive(all)
		})
	}
}

// A connection with one request, at both ends: HTTP/2 that belongs to the server
// that serves, and to one of the connection's own.
func BenchmarkConnection(b *testing.B) {
	h := http.NotFoundHandler()
	run := func(b *testing.B, url string) {
		b.ReportAllocs()
		for b.Loop() {
			c := h2c(b)
			if err := post(c, url, strings.NewReader("x"), &httptrace.ClientTrace{}); err != nil {
				b.Fatal(err)
			}
			c.CloseIdleConnections()
		}
	}
	b.Run("shared", func(b *testing.B) {
		_, url, _ := startTest(b, policies[0], h)
		run(b, url)
	})
	b.Run("private", func(b *testing.B) {
		_, url, _ := startTest(b, policies[2], h)
		run(b, url)
	})
}
