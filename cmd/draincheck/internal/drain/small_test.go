package drain

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestLosesNothingThough has servers that lose nothing, under the whole default load,
// though something about them could be taken for it.
func TestLosesNothingThough(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("new connections are lost by accident on this system")
	}
	for _, tt := range []struct {
		name string
		spec losing.Spec
		set  func(*Config)
		tls  bool
		note string // that the result has
	}{
		{"SingleThreaded", losing.Spec{Single: true}, func(c *Config) { c.H2, c.H2C = 0, 0 }, false, "others were served: the server serves few connections"},
		{"SingleThreadedNewConnectionsOnly", losing.Spec{Single: true}, func(c *Config) { c.H2, c.H2C, c.KeepAlive = 0, 0, 0 }, false,
			"silent and half-header connections were left out"},
		{"SingleThreadedTLS", losing.Spec{Single: true}, func(c *Config) { c.H2, c.H2C, c.KeepAlive = 0, 0, 0 }, true,
			"silent and half-header connections were left out"},
		{"SingleThreadedStreams", losing.Spec{Single: true}, func(c *Config) {
			*c = off(*c)
			c.Streams, c.StreamPath, c.KeepAlive = 2, "/events", 1
		}, false, "others were served: the server serves few connections"},
		{"Slow", losing.Spec{Latency: 2 * time.Second}, func(*Config) {}, false, ""},
		{"RateLimited", losing.Spec{Rate: 50}, func(c *Config) { c.Expect = "2xx,429" }, false, ""},
		{"HTTP/1.0", losing.Spec{HTTP10: true}, func(*Config) {}, false, "had no length and ended with the connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := Default()
			cfg.Timeout = 20 * time.Second // a full accept queue costs 1, 3 or 7 s: the SYN is sent again
			tt.set(&cfg)
			cfg, spec := prepare(t, cfg, tt.spec, tt.tls)
			res, err := Run(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			// What was withdrawn the server may have answered all the same.
			if st := losing.ReadStats(t, spec.Stats); st.Lost != 0 || st.Answered < res.Total.Answered || st.Answered > res.Total.Answered+res.Total.Withdrawn {
				t.Errorf("answered = %d and %d withdrawn, want the server's %d", res.Total.Answered, res.Total.Withdrawn, st.Answered)
			}
			if res.Verdict != Pass || res.Total.Lost != 0 {
				t.Errorf("verdict = %s %v, want %s: %+v", res.Verdict, res.Rounds[0].Reasons, Pass, res.Causes)
			}
			if notes := strings.Join(res.Notes, "\n"); !strings.Contains(notes, tt.note) {
				t.Errorf("notes = %q, want %q", notes, tt.note)
			}
		})
	}
}
