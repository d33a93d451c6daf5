package drain

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestPoolConnections has the burst open all connections, and what follows use those that
// were used last.
func TestPoolConnections(t *testing.T) {
	t.Parallel()
	const size, busy, requests = 12, 3, 100
	var (
		mu   sync.Mutex // guards used
		used = map[string]int{}
		all  = make(chan struct{}) // closed when all requests of the burst are there
	)
	g := newGate(t.Context())
	end := sync.OnceFunc(g.end)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		used[r.RemoteAddr]++
		n := len(used)
		total := 0
		for _, u := range used {
			total += u
		}
		mu.Unlock()
		if total == size {
			close(all)
		}
		if total >= requests {
			end()
		}
		if n < size {
			<-all
		}
	}))
	defer srv.Close()

	rec := &recorder{clock: &clock{}}
	p := &pool{size: size}
	var wg sync.WaitGroup
	for range busy {
		c := &poolClient{pool: p, client: client{member: &member{rec: rec, arm: func() {}, dialing: t.Context()}, gate: g, clock: rec.clock, timeout: time.Minute,
			dialer:  &dialer{target: &target{addr: srv.Listener.Addr().String()}, timeout: time.Minute},
			method:  http.MethodPost,
			request: []byte("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")}}
		wg.Go(func() { c.run(t.Context()) })
	}
	wg.Wait()

	reused := 0
	for _, u := range used {
		if u > 1 {
			reused++
		}
	}
	if len(used) != size || reused > busy {
		t.Errorf("%d connections, of which %d were used again; want %d and at most %d: %v", len(used), reused, size, busy, used)
	}
	if rec.counts.Answered < requests || !rec.counts.balanced() {
		t.Errorf("counts = %+v, want %d answered and all of them balanced", rec.counts, requests)
	}
	if cn := p.take(); cn != nil {
		t.Error("a connection is left in the pool, want all of them closed")
	}
}

// TestPoolStop has a server close the connections in use, so that the pool reaches for
// the others.
func TestPoolStop(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cfg := off(Default())
			cfg.Pool, cfg.PoolBusy = 8, 2
			cfg, spec := prepare(t, cfg, losing.Spec{}, p.tls)
			res, _ := check1(t, cfg, spec)
			if res.Verdict != Pass {
				t.Errorf("verdict = %s, want %s: %v", res.Verdict, Pass, res.Rounds[0].Reasons)
			}
			k := kindOf(t, res, "pool")
			// The server answers one request on each connection after the signal, and
			// says close.
			if k.Clients != 2 || k.During == nil || k.During.Count < 4 {
				t.Errorf("pool = %+v, want 2 clients, and idle connections used after the signal", k)
			}
		})
	}
}
