package drain

import (
	"strings"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/losing"
)

// TestContinue has clients that wait for 100 Continue, and a server that sends it.
func TestContinue(t *testing.T) {
	t.Parallel()
	for _, p := range protocols {
		for _, n := range []int{0, 3} {
			cfg := off(Default())
			cfg.Continue = 4
			cfg, spec := prepare(t, cfg, losing.Spec{Way: losing.Truncated, N: n, Victim: losing.KeepAlive}, p.tls)
			res, st := check1(t, cfg, spec)
			if k := kindOf(t, res, "continue"); k.Lost != n || k.Sent != st.Received || k.Answered < 10 {
				t.Errorf("%s: continue = %+v, want %d lost of the %d that the server received", p.name, k.Counts, n, st.Received)
			}
		}
	}
}

// TestPaced has clients whose pauses differ, so that some send more than others.
func TestPaced(t *testing.T) {
	t.Parallel()
	cfg := off(Default())
	cfg.Paced, cfg.PacedOver = 5, 100*time.Millisecond
	cfg, spec := prepare(t, cfg, losing.Spec{}, false)
	cfg.Load = 300 * time.Millisecond
	res, _ := check1(t, cfg, spec)
	// 20, 40, 60, 80 and 100 ms: about 15, 7, 5, 4 and 3 requests before the signal.
	if k := kindOf(t, res, "paced"); k.AnsweredBefore < 10 || k.AnsweredBefore > 80 {
		t.Errorf("paced = %+v, want some 35 answers before the signal", k.Counts)
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for want, verdict := range map[string]string{"0": Pass, "3": Fail} {
		cfg := off(Default())
		cfg.KeepAlive = 2
		cfg, spec := prepare(t, cfg, losing.Spec{}, false)
		cfg.ExitCode = want
		res, _ := check1(t, cfg, spec)
		if res.Verdict != verdict || verdict == Fail && !strings.Contains(res.Rounds[0].Reasons[0], "ended with exit code 0; -exit-code wants exit code 3") {
			t.Errorf("verdict = %s %v with -exit-code %s, want %s", res.Verdict, res.Rounds[0].Reasons, want, verdict)
		}
	}
}
