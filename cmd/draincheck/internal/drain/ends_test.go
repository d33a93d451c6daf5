package drain

import (
	"strings"
	"testing"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

func TestCutStreams(t *testing.T) {
	t.Parallel()
	const n = 3
	for _, p := range protocols {
		for _, way := range []losing.Way{losing.EOF, losing.Reset} {
			t.Run(p.name+" "+string(way), func(t *testing.T) {
				t.Parallel()
				cfg := off(Default())
				cfg.Streams = 5
				cfg, spec := prepare(t, cfg, losing.Spec{CutStreams: way, Cuts: n}, p.tls)
				cfg.StreamPath = "/events"
				wantCut(t, cfg, spec, "stream", way, n)
			})
			t.Run(p.name+" websocket "+string(way), func(t *testing.T) {
				t.Parallel()
				cfg := off(Default())
				cfg.WebSockets = 5
				cfg, spec := prepare(t, cfg, losing.Spec{CutWebSockets: way, Cuts: n}, p.tls)
				cfg.WSPath = "/ws"
				wantCut(t, cfg, spec, "websocket", way, n)
			})
		}
	}
}

func wantCut(t *testing.T, cfg Config, spec *losing.Spec, kind string, way losing.Way, n int) {
	t.Helper()
	res, _ := check1(t, cfg, spec)
	e := kindOf(t, res, kind).Ends
	eof, reset := n, 0
	if way == losing.Reset {
		eof, reset = 0, n
	}
	if e.Opened != 5 || e.Polite != 5-n || e.EOF != eof || e.Reset != reset || e.Open != 0 || e.CutBefore != 0 {
		t.Errorf("%s = %+v, want %d polite, %d EOF, %d reset", kind, e, 5-n, eof, reset)
	}
	if res.Verdict != Pass {
		t.Errorf("verdict = %s, want %s: cut streams alone do not fail it", res.Verdict, Pass)
	}
	cfg.FailOnCut = true
	strict, _ := check1(t, cfg, spec)
	if strict.Verdict != Fail || !strings.Contains(strings.Join(strict.Rounds[0].Reasons, ""), "3 streams") {
		t.Errorf("verdict = %s %v, want %s with FailOnCut", strict.Verdict, strict.Rounds[0].Reasons, Fail)
	}
}

func TestCutStreamHTTP2(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			cfg, kind := onlyHTTP2(p.tls, 1)
			// Both kinds of streams are on, and which of them is cut is the server's
			// choice: all are.
			cfg.Streams = 2
			cfg, spec := prepare(t, cfg, losing.Spec{CutStreams: losing.Reset, Cuts: 100}, p.tls)
			cfg.StreamPath = "/events"
			res, _ := check1(t, cfg, spec)
			if e := kindOf(t, res, kind+"-stream").Ends; e.Opened != 2 || e.Reset != 2 {
				t.Errorf("%s-stream = %+v, want 2 reset", kind, e)
			}
		})
	}
}
