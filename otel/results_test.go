package fxhttpotel

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
		{stopGraceful, fxshutdown.Report{Duration: 1, Failed: 1, Ended: 1, Cancelled: 1, IdleClosed: 1, Handshakes: 1}},
		{stopForced, fxshutdown.Report{Duration: 1, Forced: fxshutdown.ErrBudget}},
		{stopForced, fxshutdown.Report{Duration: 1, Forced: fxshutdown.ErrForced, Aborted: 1}},
		{stopLossy, fxshutdown.Report{Duration: 1, Aborted: 1}},
		{stopLossy, fxshutdown.Report{Duration: 1, HijackedClosed: 1}},
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
		{fxshutdown.PhaseDelay, phaseComplete, fxshutdown.Report{Aborted: 1, Phases: forced}},
		{fxshutdown.PhaseAnnounce, phaseComplete, fxshutdown.Report{Aborted: 1, Phases: forced}},
		{fxshutdown.PhaseListener, phaseComplete, fxshutdown.Report{Aborted: 1, Phases: forced}},
		{fxshutdown.PhaseListener, phaseIncomplete, fxshutdown.Report{Unaccepted: 1}},
		{fxshutdown.PhaseListener, phaseIncomplete, fxshutdown.Report{AcceptErr: some}},
		{fxshutdown.PhaseListener, phaseIncomplete, fxshutdown.Report{ListenerErr: some}},
		{fxshutdown.PhaseDrain, phaseComplete, fxshutdown.Report{Aborted: 1, Phases: forced[:1]}},
		{fxshutdown.PhaseDrain, phaseIncomplete, fxshutdown.Report{Phases: forced}},
		{fxshutdown.PhaseForce, phaseComplete, fxshutdown.Report{Phases: forced, Cancelled: 1}},
		{fxshutdown.PhaseForce, phaseIncomplete, fxshutdown.Report{Phases: forced, Aborted: 1}},
		{fxshutdown.PhaseForce, phaseIncomplete, fxshutdown.Report{Phases: forced, Unbegun: 1}},
		{fxshutdown.PhaseForce, phaseIncomplete, fxshutdown.Report{Phases: forced, HijackedClosed: 1}},
	} {
		if got := phaseResult(tt.phase, tt.r); got != tt.want {
			t.Errorf("phaseResult(%s, %+v) = %s, want %s", tt.phase, tt.r, got, tt.want)
		}
	}
}

func TestSkippedDelay(t *testing.T) {
	for _, tt := range []struct {
		e    fxshutdown.StopBegan
		want string
		ok   bool
	}{
		{fxshutdown.StopBegan{}, "", false},
		{fxshutdown.StopBegan{ShutdownDelay: time.Second}, "", false},
		{fxshutdown.StopBegan{ShutdownDelay: time.Second, SkipReason: fxshutdown.SkipTooLong}, phaseNoRoom, true},
		{fxshutdown.StopBegan{ShutdownDelay: time.Second, SkipReason: fxshutdown.SkipUnused}, phaseSkipped, true},
		{fxshutdown.StopBegan{ShutdownDelay: time.Second, SkipReason: fxshutdown.SkipElapsed}, phaseSkipped, true},
		{fxshutdown.StopBegan{ShutdownDelay: time.Second, SkipReason: fxshutdown.SkipTrigger}, phaseSkipped, true},
	} {
		if got, ok := skippedDelay(tt.e); got != tt.want || ok != tt.ok {
			t.Errorf("skippedDelay(%+v) = %q, %v, want %q, %v", tt.e, got, ok, tt.want, tt.ok)
		}
	}
}
