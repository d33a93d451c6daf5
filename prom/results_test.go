package fxhttpprom

import (
	"errors"
	"testing"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

func TestStopResult(t *testing.T) {
	for _, tt := range []struct {
		want string
		r    fxshutdown.Report
	}{
		{stopGraceful, fxshutdown.Report{Duration: 1}},
		{stopGraceful, fxshutdown.Report{Duration: 1, Failed: 1, Ended: 1, CancelledCount: 1, Dropped: 1, Handshakes: 1}},
		{stopForced, fxshutdown.Report{Duration: 1, Forced: fxshutdown.ErrBudget}},
		{stopForced, fxshutdown.Report{Duration: 1, Forced: fxshutdown.ErrForced, AbortedCount: 1}},
		{stopLossy, fxshutdown.Report{Duration: 1, AbortedCount: 1}},
		{stopLossy, fxshutdown.Report{Duration: 1, CutCount: 1}},
		{stopLossy, fxshutdown.Report{Duration: 1, Unbegun: 1}},
		{stopLossy, fxshutdown.Report{Duration: 1, Unaccepted: 1}},
	} {
		if got := stopResult(tt.r); got != tt.want {
			t.Errorf("stopResult(%+v) = %s, want %s", tt.r, got, tt.want)
		}
	}
}

func TestPhaseResult(t *testing.T) {
	forced := []fxshutdown.Phase{{Name: fxshutdown.PhaseDrain}, {Name: fxshutdown.PhaseForce}}
	some := errors.New("some")
	for _, tt := range []struct {
		phase fxshutdown.PhaseName
		want  string
		r     fxshutdown.Report
	}{
		{fxshutdown.PhaseDelay, phaseComplete, fxshutdown.Report{AbortedCount: 1, Phases: forced}},
		{fxshutdown.PhaseAnnounce, phaseComplete, fxshutdown.Report{AbortedCount: 1, Phases: forced}},
		{fxshutdown.PhaseListener, phaseComplete, fxshutdown.Report{AbortedCount: 1, Phases: forced}},
		{fxshutdown.PhaseListener, phaseIncomplete, fxshutdown.Report{Unaccepted: 1}},
		{fxshutdown.PhaseListener, phaseIncomplete, fxshutdown.Report{AcceptErr: some}},
		{fxshutdown.PhaseListener, phaseIncomplete, fxshutdown.Report{ListenerErr: some}},
		{fxshutdown.PhaseDrain, phaseComplete, fxshutdown.Report{AbortedCount: 1, Phases: forced[:1]}},
		{fxshutdown.PhaseDrain, phaseIncomplete, fxshutdown.Report{Phases: forced}},
		{fxshutdown.PhaseForce, phaseComplete, fxshutdown.Report{Phases: forced, CancelledCount: 1}},
		{fxshutdown.PhaseForce, phaseIncomplete, fxshutdown.Report{Phases: forced, AbortedCount: 1}},
		{fxshutdown.PhaseForce, phaseIncomplete, fxshutdown.Report{Phases: forced, Unbegun: 1}},
		{fxshutdown.PhaseForce, phaseIncomplete, fxshutdown.Report{Phases: forced, CutCount: 1}},
	} {
		if got := phaseResult(tt.phase, tt.r); got != tt.want {
			t.Errorf("phaseResult(%s, %+v) = %s, want %s", tt.phase, tt.r, got, tt.want)
		}
	}
}

func TestSkippedDelay(t *testing.T) {
	for _, tt := range []struct {
		e    fxshutdown.Stopping
		want string
		ok   bool
	}{
		{fxshutdown.Stopping{}, "", false},
		{fxshutdown.Stopping{Delay: time.Second}, "", false},
		{fxshutdown.Stopping{Delay: time.Second, Skipped: fxshutdown.SkipNoRoom}, phaseNoRoom, true},
		{fxshutdown.Stopping{Delay: time.Second, Skipped: fxshutdown.SkipUnused}, phaseSkipped, true},
		{fxshutdown.Stopping{Delay: time.Second, Skipped: fxshutdown.SkipElapsed}, phaseSkipped, true},
		{fxshutdown.Stopping{Delay: time.Second, Skipped: fxshutdown.SkipTrigger}, phaseSkipped, true},
	} {
		if got, ok := skippedDelay(tt.e); got != tt.want || ok != tt.ok {
			t.Errorf("skippedDelay(%+v) = %q, %v, want %q, %v", tt.e, got, ok, tt.want, tt.ok)
		}
	}
}
