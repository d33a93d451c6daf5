package fxshutdown_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// TestManyCycles starts, loads, and stops or forces servers at the same time: whatever
// happens, nothing hangs, and every account balances.
func TestManyCycles(t *testing.T) {
	cycles := 60
	if testing.Short() {
		cycles = 5
	}
	sockets(t, allModes, func(t *testing.T, m mode) {
		for i := range cycles {
			cycle(t, m, rand.New(rand.NewPCG(uint64(i), 0)))
		}
	})
}

// cycle is one of TestManyCycles.
func cycle(t *testing.T, m mode, random *rand.Rand) {
	t.Helper()
	s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				c.Close()
			}
		case "/wait":
			<-r.Context().Done()
		case "/panic":
			panic(http.ErrAbortHandler)
		}
		hello(w, r)
	}, idleGrace(10*ms), config(func(c *fxshutdown.Config) { c.RequestGrace = 20 * ms }))
	var clients sync.WaitGroup
	over := make(chan struct{})
	for i := range 8 {
		paths := []string{"/", "/", "/hijack", "/panic", "/"}
		clients.Go(func() {
			c := s.client()
			defer c.CloseIdleConnections()
			for n := 0; !isClosed(over); n++ {
				r := s.get(c, paths[(n+i)%len(paths)])
				if r.err != nil && isClosed(s.Draining()) {
					return // Refused, or a request that panics.
				}
			}
		})
	}
	if random.IntN(2) == 0 {
		clients.Go(func() { s.get(s.client(), "/wait") })
	}
	s.states.wait(t, http.StateActive, 1+random.IntN(20))
	const budget = 2 * time.Second
	end := []func() error{
		func() error { _, err := s.timeStop(budget); return err },
		s.Close,
		func() error { return s.http.Shutdown(context.Background()) },
		func() error { go s.Stop(context.Background()); return s.Close() },
	}[random.IntN(4)]
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- end() }()
	err := receive(t, "the stop", done)
	took(t, "the stop", time.Since(began), 0, budget+slack)
	var aborted *fxshutdown.AbortedError
	if err != nil && !errors.As(err, &aborted) {
		t.Errorf("the stop = %v, want nil or an *AbortedError", err)
	}
	close(over)
	clients.Wait()
	receive(t, "Done()", s.Done())
	s.calls.wait(t)
}

// TestBusyClients posts in closed loops while the server stops: each request
// that was written is answered, unless the connection was refused.
func TestBusyClients(t *testing.T) {
	t.Run("KeepAlive", func(t *testing.T) { busyClients(t, false) })
	t.Run("NewConnection", func(t *testing.T) { busyClients(t, true) })
}

func busyClients(t *testing.T, newConnection bool) {
	rounds := 8
	if testing.Short() {
		rounds = 1
	}
	sockets(t, h1Modes, func(t *testing.T, m mode) {
		for range rounds {
			s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				fmt.Fprint(w, string(b), err)
			}, idleGrace(grace))
			const n = 32
			var clients sync.WaitGroup
			warm := make(chan struct{}, n)
			for range n {
				clients.Go(func() {
					c := s.client()
					c.Transport.(*http.Transport).DisableKeepAlives = newConnection
					defer c.CloseIdleConnections()
					var used time.Time // the client's last sign of life on its connection
					for i := 0; ; i++ {
						began, wrote := time.Now(), time.Time{}
						ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
							GotConn: func(info httptrace.GotConnInfo) {
								if !info.Reused {
									used = began
								}
							},
							WroteHeaders: func() { wrote = time.Now() },
							WroteRequest: func(httptrace.WroteRequestInfo) { wrote = time.Now() },
						})
						req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url("/"), strings.NewReader("body"))
						if err != nil {
							t.Error(err)
							return
						}
						r := exchange(c, req)
						if r.err != nil {
							quiet := wrote.Sub(used)
							switch {
							case wrote.IsZero() && isClosed(s.Draining()):
								// A request that was not written is not lost.
							case !wrote.IsZero() && quiet >= grace:
								// The machine had no time for the client, which was quiet
								// for longer than the server waits.
								t.Logf("not counted: %v, from a client that was quiet for %v", r.err, quiet)
							default:
								t.Errorf("lost: %v, from a client that was quiet for %v", r.err, quiet)
							}
							return
						}
						used = wrote
						r.want(t, "body<nil>")
						if i == 3 {
							warm <- struct{}{}
						}
					}
				})
			}
			for range n {
				receive(t, "a busy client", warm)
			}
			s.mustStop()
			clients.Wait()
			if r := s.Report(); r.Failed+len(r.AbortedRequests) > 0 {
				t.Errorf("Report() = %+v, want none failed or aborted", r)
			}
		}
	})
}

// TestAgingBusyClients posts in closed loops while connections become too old: nothing is
// lost, before a stop or during it, and the client repeats on its own what HTTP/2
// refused.
func TestAgingBusyClients(t *testing.T) {
	const lasts = 300 * ms
	sockets(t, allModes, func(t *testing.T, m mode) {
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) },
			idleGrace(grace), config(func(c *fxshutdown.Config) { c.MaxConnectionAge = 50 * ms }))
		c := s.client()
		c.Transport.(*http.Transport).MaxIdleConnsPerHost = 100
		var clients sync.WaitGroup
		for range 16 {
			clients.Go(func() {
				for end := time.Now().Add(lasts); time.Now().Before(end); {
					s.do(c, http.MethodPost, "/", strings.NewReader("body")).want(t, "body")
				}
			})
		}
		clients.Wait()
		if st := s.Stats(); st.Retired < 2 || st.Failed+st.Aborted > 0 || st.Accepted < st.Retired {
			t.Errorf("Stats() = %+v, want that connections retired, and nothing was lost", st)
		}
		s.mustStop()
	})
}
