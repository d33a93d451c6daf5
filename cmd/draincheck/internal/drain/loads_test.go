package drain

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// TestSpread has two clients, the second of which begins half of the spread after the
// first.
func TestSpread(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		spread time.Duration
		want   int // clients that had begun when the load ended
	}{
		{0, 2},
		{2 * time.Hour, 1},
	} {
		t.Run(tt.spread.String(), func(t *testing.T) {
			t.Parallel()
			g := newGate(t.Context())
			end := sync.OnceFunc(g.end)
			var (
				mu       sync.Mutex // guards what follows
				requests int
				clients  = map[string]bool{}
			)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				requests++
				clients[r.RemoteAddr] = true
				if requests > 100 && len(clients) >= tt.want {
					end()
				}
			}))
			defer srv.Close()

			cfg := off(Default())
			cfg.KeepAlive, cfg.Spread, cfg.Pause = 2, tt.spread, 0
			c := &check{cfg: cfg, target: &target{host: "test", path: "/"},
				dialer: &dialer{target: &target{addr: srv.Listener.Addr().String()}, timeout: time.Minute}}
			_, members := (&planner{check: c, gate: g, clock: &clock{}}).plan(t.Context())
			var wg sync.WaitGroup
			for _, m := range members {
				wg.Go(func() { m.loop(t.Context()) })
			}
			wg.Wait()
			if len(clients) != tt.want {
				t.Errorf("%d clients had begun, want %d", len(clients), tt.want)
			}
		})
	}
}
