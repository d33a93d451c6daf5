package link

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// open opens a link, or skips the test where there can be none.
func open(t *testing.T, cfg Config) *Link {
	t.Helper()
	l, err := Open(cfg)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// connect makes a connection over the link; both ends are closed with the test.
func connect(t *testing.T, l *Link, addr string) (client, server net.Conn, took time.Duration) {
	t.Helper()
	var ln net.Listener
	if err := l.Server.Do(func() (err error) {
		ln, err = net.Listen("tcp", addr)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	start := time.Now()
	if err := l.Client.Do(func() (err error) {
		client, err = net.DialTimeout("tcp", ln.Addr().String(), 10*time.Second)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	took = time.Since(start)
	t.Cleanup(func() { client.Close() })
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return client, server, took
}

func TestRoundTrip(t *testing.T) {
	for _, rtt := range []time.Duration{0, time.Millisecond, 4 * time.Millisecond, 40 * time.Millisecond, 150 * time.Millisecond} {
		t.Run(rtt.String(), func(t *testing.T) {
			l := open(t, Config{RTT: rtt})
			for _, addr := range []string{l.Server.Addr(0), l.Server.Addr6(0)} {
				client, server, took := connect(t, l, addr)
				go io.Copy(server, server)
				best := time.Hour
				for range 10 {
					start := time.Now()
					client.Write([]byte("x"))
					if _, err := client.Read(make([]byte, 1)); err != nil {
						t.Fatal(err)
					}
					best = min(best, time.Since(start))
				}
				t.Logf("%s: connected in %v, best round trip %v", addr, took, best)
			}
		})
	}
}
