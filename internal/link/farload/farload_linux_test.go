package main

import (
	"errors"
	"flag"
	"math"
	"os"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
	"github.com/fxshutdown/fxhttp/internal/link"
)

func TestMain(m *testing.M) {
	link.ExecIfAsked()
	serveIfAsked()
	flag.Parse()
	os.Exit(m.Run())
}

// bound says how many requests all stops of a case may, and must, lose.
type bound struct{ least, most int }

var (
	none     = bound{0, 0}
	some     = bound{1, math.MaxInt}
	whatever = bound{0, math.MaxInt}
)

// TestStops is the short form of the command. That the plain server loses requests
// shows that the link and the clients find what there is to find.
func TestStops(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and stops servers under load for some seconds")
	}
	dir := t.TempDir()
	bin := ""
	size := sizes{clients: 32, pool: 32, busy: 4}
	for _, tt := range []struct {
		server string
		load   string
		cfg    link.Config
		pull   pull
		stops  int
		lost   bound
	}{
		{server: bare, load: "new", cfg: link.Config{RTT: 40 * time.Millisecond}, stops: 1, lost: some},
		{server: bare, load: "pool", cfg: link.Config{RTT: 4 * time.Millisecond}, stops: 2, lost: some},
		{server: "fxshutdown", load: "new", cfg: link.Config{RTT: 40 * time.Millisecond}, stops: 1, lost: whatever},
		{server: "fxshutdown", load: "pool", cfg: link.Config{RTT: 4 * time.Millisecond}, stops: 1, lost: whatever},
		{server: "fxshutdown", load: "keepalive", cfg: link.Config{RTT: 4 * time.Millisecond}, stops: 1, lost: none},
		{server: "fxshutdown", load: "h2", cfg: link.Config{RTT: 4 * time.Millisecond}, stops: 1, lost: whatever},
		{server: "fxshutdown", load: "keepalive", cfg: link.Config{RTT: 4 * time.Millisecond},
			pull: pull{after: time.Millisecond, lasts: 50 * time.Millisecond}, stops: 1, lost: whatever},
	} {
		l, ok := size.load(tt.load)
		if !ok {
			t.Fatalf("no load %q", tt.load)
		}
		t.Run(tt.server+"/"+l.title, func(t *testing.T) {
			b, err := openBed(tt.cfg, bin, dir, 20*time.Second)
			if errors.Is(err, link.ErrUnavailable) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			if bin == "" {
				if bin, err = draincheck.Build(t.Context(), dir); err != nil {
					t.Fatal(err)
				}
				b.draincheck = bin
			}
			var r row
			for range tt.stops {
				s, err := b.stop(t.Context(), tt.server, l, tt.pull)
				if err != nil {
					t.Fatal(err)
				}
				r = append(r, s)
				t.Log(s)
			}
			if _, lost := b.link.Packets(); tt.pull.lasts > 0 && lost == 0 {
				t.Error("no packet was lost: the cable was not pulled")
			}
			if n := r.lost(); n < tt.lost.least || n > tt.lost.most {
				t.Errorf("%d requests were lost in %d stops, want %d to %d", n, tt.stops, tt.lost.least, tt.lost.most)
			}
		})
	}
}
