package fxshutdown

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// The keeper keeps nothing of connections that are gone, even if nothing wakes it.
func TestKeeperForgets(t *testing.T) {
	for _, tt := range []struct {
		name  string
		grace time.Duration
	}{{"NoGrace", 0}, {"Grace", time.Hour}} {
		t.Run(tt.name, func(t *testing.T) {
			held := make(chan struct{})
			srv := &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/held" {
					<-held
				}
			})}
			s, err := New(srv, Config{MaxRequestsPerConnection: 1, MaxConnectionAgeGrace: tt.grace})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			defer close(held)
			get := func(path string) net.Conn {
				c, err := net.Dial("tcp", s.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
				return c
			}
			first := get("/held") // whose grace is the first to be over
			defer first.Close()
			for s.Stats().InFlight == 0 {
				time.Sleep(ms)
			}
			time.Sleep(20 * ms) // the keeper has looked at it
			const n = 50
			for range n {
				c := get("/")
				io.Copy(io.Discard, bufio.NewReader(c))
				c.Close()
			}
			for s.Stats().Closed < n {
				time.Sleep(ms)
			}
			kept := func() int {
				s.keeper.mu.Lock()
				defer s.keeper.mu.Unlock()
				return len(s.keeper.care)
			}
			// The last one is counted as closed a moment before the keeper hears of it.
			for end := time.Now().Add(5 * time.Second); kept() > 1; time.Sleep(ms) {
				if time.Now().After(end) {
					t.Fatalf("%d connections are kept of %d that are gone", kept()-1, n)
				}
			}
		})
	}
}
