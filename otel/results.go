package fxhttpotel

import (
	"slices"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// Values of fxhttp.stop.result.
const (
	stopGraceful = "graceful" // nothing had to be cut
	stopLossy    = "lossy"    // something was cut, or refused, before the time was over
	stopForced   = "forced"   // the time was over, or somebody ended the stop by force
)

// Values of fxhttp.stop.phase.result.
const (
	phaseComplete   = "complete"
	phaseIncomplete = "incomplete"
	phaseSkipped    = "skipped" // a delay that was not needed
	phaseNoRoom     = "no_room" // a delay that did not fit into the time of the stop
)

// stopResult says how a stop that is over went.
func stopResult(r fxshutdown.Report) string {
	switch {
	case r.Graceful():
		return stopGraceful
	case r.Forced != nil:
		return stopForced
	default:
		return stopLossy
	}
}

// phaseResult says how a phase of a stop that is over went.
func phaseResult(name fxshutdown.PhaseName, r fxshutdown.Report) string {
	incomplete := false
	switch name {
	case fxshutdown.PhaseListener: // it had to leave clients in its queue, or it failed
		incomplete = r.Unaccepted > 0 || r.AcceptErr != nil || r.ListenerErr != nil
	case fxshutdown.PhaseDrain: // something was left to the force phase
		incomplete = slices.ContainsFunc(r.Phases, func(p fxshutdown.Phase) bool { return p.Name == fxshutdown.PhaseForce })
	case fxshutdown.PhaseForce: // it had to cut
		incomplete = r.Aborted > 0 || r.Unbegun > 0 || r.HijackedClosed > 0
	}
	if incomplete {
		return phaseIncomplete
	}
	return phaseComplete
}

// skippedDelay returns the result of a delay that was asked for but skipped, and whether
// there is one.
func skippedDelay(e fxshutdown.StopBegan) (result string, ok bool) {
	switch {
	case e.ShutdownDelay <= 0 || e.SkipReason == "":
		return "", false
	case e.SkipReason == fxshutdown.SkipTooLong:
		return phaseNoRoom, true
	default:
		return phaseSkipped, true
	}
}
