package fxshutdown

import (
	"fmt"
	"testing"
	"time"
)

const ms = moment(time.Millisecond)

// TestDecide has a row for each thing that the decision looks at. A row starts from a
// connection that retired at 1 s and had waited since before that. It says what is
// different, what time it is, and what is to be done.
func TestDecide(t *testing.T) {
	const (
		retired = 1000 * ms
		idle    = 250 * ms
		hijack  = 400 * ms
	)
	waits := view{stage: stageIdle, reading: true, retiredAt: retired, quiet: 900 * ms, clientWait: maxClientWait}
	with := func(v view, change func(*view)) view {
		change(&v)
		return v
	}
	fresh := with(waits, func(v *view) { v.stage = stageNew })
	busy := with(waits, func(v *view) { v.stage, v.handlers, v.reading = stageActive, true, false })
	http2 := with(waits, func(v *view) { v.http2 = true })
	held := with(busy, func(v *view) { v.http2, v.heldAt = true, 1050*ms })
	idling := with(http2, func(v *view) { v.heldAt, v.quiet = 1050*ms, 1100*ms })
	told := with(http2, func(v *view) { v.goAway, v.quiet, v.asked = goAwayAsked, 100*ms, 1200*ms })
	woken := with(waits, func(v *view) { v.intr, v.asked = interruptPending, 1200*ms })
	answered := with(waits, func(v *view) {
		v.stage, v.closing, v.reading, v.quiet, v.asked = stageActive, closingHTTP, false, 1100*ms, 1100*ms
	})
	taken := with(waits, func(v *view) { v.stage, v.reading = stageHijacked, false })

	for _, test := range []struct {
		name string
		v    view
		now  moment
		want verdict
	}{
		// Over.
		{"closed", with(waits, func(v *view) { v.stage = stageClosed }), 9000 * ms, verdict{}},
		{"gone", with(waits, func(v *view) { v.stage = stageGone }), 9000 * ms, verdict{}},
		{"closed, and dropped before", with(woken, func(v *view) { v.stage, v.dropped = stageClosed, true }), 9000 * ms, verdict{}},
		{"cut", with(waits, func(v *view) { v.cut = true }), 9000 * ms, verdict{}},
		{"dropped", with(woken, func(v *view) { v.dropped = true }), 1250 * ms, verdict{at: 1300 * ms}},
		{"dropped and not closed", with(woken, func(v *view) { v.dropped = true }), 1300 * ms, verdict{do: actCut}},

		// Idle on HTTP/1.
		{"quiet long before", with(waits, func(v *view) { v.quiet = 0 }), retired, verdict{actInterrupt, 1100 * ms}},
		{"quiet just before", waits, retired, verdict{at: 1149 * ms}},
		{"quiet for IdleGrace", waits, 1149 * ms, verdict{actInterrupt, 1249 * ms}},
		{"a part came", with(waits, func(v *view) { v.part = true }), 1149 * ms, verdict{at: 1449 * ms}},
		{"a part came, over", with(waits, func(v *view) { v.part = true }), 1449 * ms, verdict{actInterrupt, 1549 * ms}},
		{"a part, late", with(waits, func(v *view) { v.part, v.quiet = true, 1200*ms }), 1600 * ms, verdict{at: 1749 * ms}},
		{"a part, the last chance", with(waits, func(v *view) { v.part, v.quiet = true, 1200*ms }), 1749 * ms, verdict{actInterruptFinal, 1849 * ms}},
		{"it trickled before", with(waits, func(v *view) { v.part, v.quiet, v.waited = true, 1200*ms, 200*ms }), 1549 * ms, verdict{actInterruptFinal, 1649 * ms}},
		{"it trickled before, not yet", with(waits, func(v *view) { v.part, v.quiet, v.waited = true, 1200*ms, 200*ms }), 1548 * ms, verdict{at: 1549 * ms}},
		{"it trickled before, and its client is busy", with(waits, func(v *view) { v.quiet, v.waited, v.clientBusy = 1200*ms, 200*ms, true }), 1549 * ms, verdict{at: 1749 * ms}},
		{"it trickled before, and its client was busy", with(waits, func(v *view) { v.quiet, v.waited, v.clientBusy = 1200*ms, 200*ms, true }), 1749 * ms, verdict{actInterruptFinal, 1849 * ms}},
		{"it trickles", with(waits, func(v *view) { v.intr = interruptSpent }), retired, verdict{do: actCut}},
		{"interrupted", woken, 1299 * ms, verdict{at: 1300 * ms}},
		{"interrupted for the last time", with(woken, func(v *view) { v.intr = interruptFinal }), 1299 * ms, verdict{at: 1300 * ms}},
		{"interrupted, and no answer", woken, 1300 * ms, verdict{at: 2200 * ms}},
		{"deaf", woken, 2200 * ms, verdict{do: actCut}},

		// Its client is not quiet.
		{"its client was just seen", with(waits, func(v *view) { v.quiet, v.clientQuiet = 0, 1100*ms }), 1348 * ms, verdict{at: 1349 * ms}},
		{"its client is quiet too", with(waits, func(v *view) { v.quiet, v.clientQuiet = 0, 1100*ms }), 1349 * ms, verdict{actInterrupt, 1449 * ms}},
		{"its client is busy", with(waits, func(v *view) { v.quiet, v.clientBusy = 0, true }), 1748 * ms, verdict{at: 1749 * ms}},
		{"its client was busy", with(waits, func(v *view) { v.quiet, v.clientBusy = 0, true }), 1749 * ms, verdict{actInterrupt, 1849 * ms}},
		{"its client is never quiet", with(waits, func(v *view) { v.quiet, v.clientQuiet = 0, 1700*ms }), 1748 * ms, verdict{at: 1749 * ms}},
		{"its client was never quiet", with(waits, func(v *view) { v.quiet, v.clientQuiet = 0, 1749*ms }), 1749 * ms, verdict{actInterrupt, 1849 * ms}},
		{"its client is busy, and far", with(waits, func(v *view) { v.quiet, v.clientBusy, v.clientWait = 0, true, time.Second }), 2248 * ms, verdict{at: 2249 * ms}},
		{"its client was busy, and far", with(waits, func(v *view) { v.quiet, v.clientBusy, v.clientWait = 0, true, time.Second }), 2249 * ms, verdict{actInterrupt, 2349 * ms}},
		{"a part came, its client is quiet", with(waits, func(v *view) { v.part, v.clientQuiet = true, 1000*ms }), 1448 * ms, verdict{at: 1449 * ms}},

		// Nobody reads.
		{"stalled", with(fresh, func(v *view) { v.reading = false }), retired, verdict{at: 1050 * ms}},
		{"stalled, nearly over", with(fresh, func(v *view) { v.reading = false }), 3540 * ms, verdict{at: 3550 * ms}},
		{"stalled for good", with(fresh, func(v *view) { v.reading = false }), 3550 * ms, verdict{do: actCut}},
		{"its listener reads", with(fresh, func(v *view) { v.stage, v.reading = stageAccepted, false }), 1450 * ms, verdict{actInterrupt, 1500 * ms}},
		{"its listener reads, not yet", with(fresh, func(v *view) { v.stage, v.reading = stageAccepted, false }), 1449 * ms, verdict{at: 1499 * ms}},
		{"its listener was woken", with(fresh, func(v *view) { v.stage, v.reading, v.intr = stageAccepted, false, interruptPending }), 1450 * ms, verdict{at: 1500 * ms}},
		{"its listener reads for good", with(fresh, func(v *view) { v.stage, v.reading = stageAccepted, false }), 3550 * ms, verdict{do: actCut}},
		{"the listener's TLS", with(fresh, func(v *view) { v.stage, v.reading, v.bypassed = stageAccepted, false, true }), 1149 * ms, verdict{actInterrupt, 1249 * ms}},
		{"the listener's TLS, dropped", with(woken, func(v *view) { v.reading, v.bypassed, v.dropped = false, true, true }), 1250 * ms, verdict{at: 1300 * ms}},
		{"the listener's TLS, dropped, has longer", with(woken, func(v *view) { v.reading, v.bypassed, v.dropped = false, true, true }), 1300 * ms, verdict{at: 2200 * ms}},
		{"the listener's TLS, deaf", with(woken, func(v *view) { v.reading, v.bypassed, v.dropped = false, true, true }), 2200 * ms, verdict{do: actCut}},

		// Something is being written.
		{"a handshake is written", with(fresh, func(v *view) { v.writing = true }), 1100 * ms, verdict{at: 1150 * ms}},
		{"a handshake is not read", with(fresh, func(v *view) { v.writing = true }), 1650 * ms, verdict{do: actCut}},
		{"the end of a response", with(http2, func(v *view) { v.writing, v.finishing = true, true }), 9000 * ms, verdict{at: 9050 * ms}},
		{"the end of a response is starved", with(idling, func(v *view) { v.writing, v.finishing, v.starved = true, true, true }), 1200 * ms, verdict{do: actRelease}},
		{"a PING is answered", with(http2, func(v *view) { v.writing = true }), 1650 * ms, verdict{do: actCut}},

		{"a hook runs", with(http2, func(v *view) { v.hooked, v.goAway = true, goAwaySent }), 3540 * ms, verdict{at: 3550 * ms}},
		{"a hook runs for good", with(http2, func(v *view) { v.hooked, v.goAway = true, goAwaySent }), 3550 * ms, verdict{do: actCut}},

		// Requests.
		{"a handler runs", busy, 9000 * ms, verdict{}},
		{"a request is read", with(busy, func(v *view) { v.handlers = false }), 9000 * ms, verdict{}},
		{"the handler of a reset stream", with(http2, func(v *view) { v.handlers, v.goAway = true, goAwaySent }), 9000 * ms, verdict{}},
		{"streams run, nothing is held", with(busy, func(v *view) { v.http2 = true }), 1499 * ms, verdict{at: 1500 * ms}},
		{"streams run on, nothing is held", with(busy, func(v *view) { v.http2 = true }), 1500 * ms, verdict{do: actGoAway}},
		{"a stream begins, and no handler runs yet", with(busy, func(v *view) { v.http2, v.handlers = true, false }), 1500 * ms, verdict{do: actGoAway}},
		{"streams run", held, 1100 * ms, verdict{at: 1150 * ms}},
		{"streams run, nearly over", held, 1549 * ms, verdict{at: 1550 * ms}},
		{"streams run on", held, 1550 * ms, verdict{do: actGoAway}},
		{"a response is starved", with(held, func(v *view) { v.starved = true }), 1100 * ms, verdict{do: actRelease}},
		{"streams run, GOAWAY asked", with(held, func(v *view) { v.goAway, v.asked = goAwayAsked, 1550*ms }), 1559 * ms, verdict{at: 1600 * ms}},
		{"streams run, GOAWAY stuck", with(held, func(v *view) { v.goAway, v.asked = goAwayAsked, 1550*ms }), 1600 * ms, verdict{do: actRelease}},
		{"streams run, GOAWAY asked, nothing is held", with(held, func(v *view) { v.goAway, v.heldAt = goAwayAsked, 0 }), 9000 * ms, verdict{}},
		{"streams run, GOAWAY sent", with(held, func(v *view) { v.goAway, v.heldAt = goAwaySent, 0 }), 9000 * ms, verdict{}},
		{"the handler of a reset stream, held", with(held, func(v *view) { v.stage = stageIdle }), 1550 * ms, verdict{do: actGoAway}},

		// net/http closes it.
		{"answered", answered, 3000 * ms, verdict{at: 3100 * ms}},
		{"answered, and not closed", answered, 3100 * ms, verdict{do: actCut}},
		{"answered, the rest is read", with(answered, func(v *view) { v.reading = true }), 1500 * ms, verdict{at: 1600 * ms}},
		{"answered, the rest never ends", with(answered, func(v *view) { v.reading = true }), 1600 * ms, verdict{do: actCut}},
		{"answered, and still written", with(answered, func(v *view) { v.writing = true }), 9000 * ms, verdict{at: 9050 * ms}},
		{"answered, and its handler runs", with(answered, func(v *view) { v.handlers = true }), 9000 * ms, verdict{}},

		// Hijacked.
		{"hijacked", taken, 1399 * ms, verdict{at: 1400 * ms}},
		{"hijacked, and to be asked", with(taken, func(v *view) { v.ask = true }), 1100 * ms, verdict{at: 1350 * ms}},
		{"hijacked, and to be asked, nearly over", with(taken, func(v *view) { v.ask = true }), 1300 * ms, verdict{at: 1400 * ms}},
		{"hijacked for too long", taken, 1400 * ms, verdict{actHalfClose, 1500 * ms}},
		{"hijacked, told", with(taken, func(v *view) { v.closing, v.asked = closingStop, 1400*ms }), 1499 * ms, verdict{at: 1500 * ms}},
		{"hijacked, does not end", with(taken, func(v *view) { v.closing, v.asked = closingStop, 1400*ms }), 1500 * ms, verdict{do: actCut}},

		// Hijacked under EndOnDrain.
		{"hijacked, and ends", with(taken, func(v *view) { v.endsBy = 1300 * ms }), 1299 * ms, verdict{at: 1300 * ms}},
		{"hijacked, and ends now", with(taken, func(v *view) { v.endsBy = 1300 * ms }), 1300 * ms, verdict{actHalfClose, 1400 * ms}},
		{"hijacked, and HijackGrace is shorter", with(taken, func(v *view) { v.endsBy = 1500 * ms }), 1400 * ms, verdict{actHalfClose, 1500 * ms}},

		// HTTP/2 without streams.
		{"no streams, quiet", http2, 1150 * ms, verdict{actGoAway, 2150 * ms}},
		{"its preface is to come", with(http2, func(v *view) { v.stage = stageNew }), 1149 * ms, verdict{actInterrupt, 1249 * ms}},
		{"no streams, used just now", http2, 1149 * ms, verdict{at: 1150 * ms}},
		{"no streams, used just now, not flushed", with(http2, func(v *view) { v.finishing = true }), 1149 * ms, verdict{at: 1150 * ms}},
		{"no streams any more", idling, 1100 * ms, verdict{actGoAway, 2100 * ms}},
		{"no streams, not flushed", with(idling, func(v *view) { v.finishing = true }), 1104 * ms, verdict{at: 1105 * ms}},
		{"no streams, nothing to flush", with(idling, func(v *view) { v.finishing = true }), 1105 * ms, verdict{actGoAway, 2105 * ms}},
		{"GOAWAY asked", told, 2199 * ms, verdict{at: 2200 * ms}},
		{"GOAWAY asked, nothing written", told, 2200 * ms, verdict{actHalfClose, 2300 * ms}},
		{"GOAWAY asked, something written", with(told, func(v *view) { v.wrote = true }), 1449 * ms, verdict{at: 1450 * ms}},
		{"GOAWAY asked, probably written", with(told, func(v *view) { v.wrote = true }), 1450 * ms, verdict{actHalfClose, 1550 * ms}},
		{"GOAWAY sent", with(told, func(v *view) { v.goAway = goAwaySent }), 1204 * ms, verdict{at: 1205 * ms}},
		{"GOAWAY sent, read", with(told, func(v *view) { v.goAway = goAwaySent }), 1205 * ms, verdict{actHalfClose, 1305 * ms}},
		{"GOAWAY sent, sends on", with(told, func(v *view) { v.goAway, v.sentOn = goAwaySent, true }), 1204 * ms, verdict{at: 1205 * ms}},
		{"GOAWAY sent, not flushed", with(told, func(v *view) { v.goAway, v.finishing, v.quiet = goAwaySent, true, 2000*ms }), 2249 * ms, verdict{at: 2250 * ms}},
		{"GOAWAY sent, nothing to flush", with(told, func(v *view) { v.goAway, v.finishing, v.quiet = goAwaySent, true, 2000*ms }), 2250 * ms, verdict{actHalfClose, 2350 * ms}},
		{"GOAWAY sent, answered since", with(told, func(v *view) { v.goAway, v.quiet = goAwaySent, 2000*ms }), 2004 * ms, verdict{at: 2005 * ms}},
		{"half-closed", with(told, func(v *view) { v.closing = closingStop }), 1299 * ms, verdict{at: 1300 * ms}},
		{"half-closed, which drops it", with(told, func(v *view) { v.closing, v.dropped, v.sentOn = closingStop, true, true }), 1699 * ms, verdict{at: 1700 * ms}},
		{"half-closed, and stays", with(told, func(v *view) { v.closing = closingStop }), 1300 * ms, verdict{do: actCut}},
		{"half-closed, and sends on", with(told, func(v *view) { v.closing, v.sentOn = closingStop, true }), 1699 * ms, verdict{at: 1700 * ms}},
		{"half-closed, and sent on", with(told, func(v *view) { v.closing, v.sentOn = closingStop, true }), 1700 * ms, verdict{do: actCut}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := (graces{idle: idle, hijack: hijack}).decide(test.v, test.now); got != test.want {
				t.Errorf("decide() = %v, want %v", got, test.want)
			}
		})
	}
}

// Without a grace, some rows are different.
func TestDecideWithoutGraces(t *testing.T) {
	v := view{stage: stageHijacked, retiredAt: 1, ask: true}
	if got, want := (graces{}).decide(v, 1000*ms), (verdict{at: 1250 * ms}); got != want {
		t.Errorf("without HijackGrace decide() = %v of a connection whose socket must be asked, want %v", got, want)
	}
	v = view{stage: stageHijacked, retiredAt: 1}
	if got := (graces{}).decide(v, maxDuration); got != (verdict{}) {
		t.Errorf("without HijackGrace decide() = %v, want nothing", got)
	}
	v.endsBy = 501 * ms
	if got, want := (graces{}).decide(v, 501*ms), (verdict{actHalfClose, 601 * ms}); got != want {
		t.Errorf("without HijackGrace, under EndOnDrain decide() = %v, want %v", got, want)
	}
	v = view{stage: stageIdle, reading: true, retiredAt: 10 * ms, quiet: 10 * ms}
	if got := (graces{}).decide(v, 10*ms); got.do != actInterrupt {
		t.Errorf("without IdleGrace decide() = %v, want an interruption at once", got)
	}
	v = view{stage: stageIdle, reading: true, retiredAt: 10 * ms, quiet: 10 * ms, http2: true, finishing: true}
	for _, v.goAway = range []goAway{goAwayNone, goAwaySent} {
		if got, want := (graces{}).decide(v, 10*ms), (verdict{at: 10*ms + schedulingSlack}); got != want {
			t.Errorf("without IdleGrace decide() = %v of a response that is to be flushed, GOAWAY %v, want %v", got, v.goAway, want)
		}
	}
}

func (a action) String() string {
	return [...]string{"nothing", "interrupt", "interrupt for the last time", "GOAWAY", "release", "half-close", "cancel", "cut"}[a]
}

func (v verdict) String() string { return fmt.Sprintf("%v, look at %v", v.do, v.at) }

// TestDecideServing has the rows for a connection that retires while the server serves.
func TestDecideServing(t *testing.T) {
	const retired = 1000 * ms
	waits := view{stage: stageIdle, reading: true, retiredAt: retired, quiet: 100 * ms}
	with := func(v view, change func(*view)) view {
		change(&v)
		return v
	}
	busy := with(waits, func(v *view) { v.stage, v.handlers, v.reading = stageActive, true, false })
	http2 := with(waits, func(v *view) { v.http2 = true })
	streams := with(busy, func(v *view) { v.http2 = true })
	taken := with(waits, func(v *view) { v.stage, v.reading, v.ask = stageHijacked, false, true })
	none := graces{idle: 250 * ms, serving: true}
	some := graces{idle: 250 * ms, serving: true, hijack: 2000 * ms, run: 2000 * ms}
	for _, test := range []struct {
		name string
		g    graces
		v    view
		now  moment
		want verdict
	}{
		{"closed", some, with(waits, func(v *view) { v.stage = stageClosed }), 9000 * ms, verdict{}},
		{"idle", some, waits, 9000 * ms, verdict{}},
		{"new", some, with(waits, func(v *view) { v.stage = stageNew }), 9000 * ms, verdict{}},
		{"a part came", some, with(waits, func(v *view) { v.part = true }), 9000 * ms, verdict{}},
		{"answered", some, with(busy, func(v *view) { v.handlers, v.closing = false, closingHTTP }), 9000 * ms, verdict{}},

		{"a handler runs, without a grace", none, busy, 9000 * ms, verdict{}},
		{"a handler runs", some, busy, 2999 * ms, verdict{at: 3000 * ms}},
		{"a handler runs for too long", some, busy, 3000 * ms, verdict{actCancel, 3500 * ms}},
		{"a handler began late", some, with(busy, func(v *view) { v.began = 5000 * ms }), 5100 * ms, verdict{at: 7000 * ms}},
		{"a handler was cancelled", some, with(busy, func(v *view) { v.overdue = 3000 * ms }), 3499 * ms, verdict{at: 3500 * ms}},
		{"a handler was cancelled, and has returned", some, with(busy, func(v *view) { v.handlers, v.overdue = false, 3000*ms }), 3500 * ms, verdict{}},
		{"a hook runs", some, with(waits, func(v *view) { v.hooked = true }), 9000 * ms, verdict{}},
		{"a handler was cancelled, and runs", some, with(busy, func(v *view) { v.overdue = 3000 * ms }), 3500 * ms, verdict{do: actCut}},

		{"hijacked, without a grace", none, taken, 9000 * ms, verdict{}},
		{"hijacked", some, taken, 1500 * ms, verdict{at: 3000 * ms}},
		{"hijacked for too long", some, taken, 3000 * ms, verdict{actHalfClose, 3100 * ms}},
		{"hijacked late", some, with(taken, func(v *view) { v.began = 5000 * ms }), 5100 * ms, verdict{at: 7000 * ms}},

		{"no streams", some, http2, 1100 * ms, verdict{actGoAway, 2100 * ms}},
		{"no streams, used just now", some, with(http2, func(v *view) { v.quiet = 1000 * ms }), 1100 * ms, verdict{at: 1250 * ms}},
		{"no streams, a hook runs", some, with(http2, func(v *view) { v.hooked = true }), 9000 * ms, verdict{at: 9050 * ms}},
		{"no streams, a PING is answered", some, with(http2, func(v *view) { v.writing = true }), 9000 * ms, verdict{at: 9050 * ms}},
		{"no streams, nobody reads the end of a response", some, with(http2, func(v *view) { v.writing, v.finishing = true, true }), 9000 * ms, verdict{at: 9050 * ms}},
		{"no streams, the end of a response is starved", some, with(http2, func(v *view) { v.heldAt, v.writing, v.starved = 1000*ms, true, true }), 1200 * ms, verdict{do: actRelease}},
		{"the preface is read", some, with(http2, func(v *view) { v.stage = stageNew }), 9000 * ms, verdict{}},
		{"GOAWAY asked", some, with(http2, func(v *view) { v.goAway, v.asked = goAwayAsked, 1100*ms }), 9000 * ms, verdict{}},
		{"GOAWAY sent", some, with(http2, func(v *view) { v.goAway, v.asked = goAwaySent, 1100*ms }), 9000 * ms, verdict{}},
		{"GOAWAY asked, held", some, with(http2, func(v *view) { v.goAway, v.asked, v.heldAt = goAwayAsked, 1100*ms, 1000*ms }), 1149 * ms, verdict{at: 1150 * ms}},
		{"GOAWAY asked, held for too long", some, with(http2, func(v *view) { v.goAway, v.asked, v.heldAt = goAwayAsked, 1100*ms, 1000*ms }), 1150 * ms, verdict{do: actRelease}},
		{"streams run", none, streams, 1499 * ms, verdict{at: 1500 * ms}},
		{"streams run on", none, streams, 1500 * ms, verdict{do: actGoAway}},
		{"streams run, with a grace", some, with(streams, func(v *view) { v.goAway = goAwaySent }), 1500 * ms, verdict{at: 3000 * ms}},
		{"streams run for too long", some, with(streams, func(v *view) { v.goAway = goAwaySent }), 3000 * ms, verdict{actCancel, 3500 * ms}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.g.decide(test.v, test.now); got != test.want {
				t.Errorf("decide() = %v, want %v", got, test.want)
			}
		})
	}
}

// The reason why a connection is ended is the cause with which its requests' contexts are
// cancelled.
func TestDecideReason(t *testing.T) {
	ends := view{stage: stageHijacked, retiredAt: 1000 * ms, endsBy: 1500 * ms}
	for _, c := range []struct {
		name   string
		graces graces
		view   view
		want   error
	}{
		{"waits", graces{}, view{stage: stageIdle}, ErrStopping},
		{"waits, serving", graces{serving: true}, view{stage: stageIdle}, ErrConnectionAgeGrace},
		{"hijacked", graces{hijack: 1000 * ms}, view{stage: stageHijacked}, ErrHijackGrace},
		{"hijacked, serving", graces{hijack: 1000 * ms, serving: true}, view{stage: stageHijacked}, ErrConnectionAgeGrace},
		{"EndOnDrain", graces{}, ends, ErrDraining},
		{"EndOnDrain before HijackGrace", graces{hijack: 1000 * ms}, ends, ErrDraining},
		{"HijackGrace before EndOnDrain", graces{hijack: 100 * ms}, ends, ErrHijackGrace},
	} {
		if got := c.graces.reason(c.view); got != c.want {
			t.Errorf("%s: reason() = %v, want %v", c.name, got, c.want)
		}
	}
}
