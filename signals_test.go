package fxhttp

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// What signals do depends on when they arrive.
func TestSignalWatch(t *testing.T) {
	const ms = time.Millisecond
	type at struct {
		time   time.Duration
		signal os.Signal // nil: OnStop begins
	}
	both := []os.Signal{os.Interrupt, syscall.SIGTERM}
	intr := func(d time.Duration) at { return at{d, os.Interrupt} }
	term := func(d time.Duration) at { return at{d, syscall.SIGTERM} }
	hup := func(d time.Duration) at { return at{d, syscall.SIGHUP} }
	stop := func(d time.Duration) at { return at{d, nil} }

	for _, tt := range []struct {
		name    string
		unready []os.Signal
		events  []at // the signals, and the beginning of OnStop, that the watch sees
		want    []string
	}{
		{"Doubled", nil, []at{stop(0), intr(20 * ms)}, []string{"20ms repeat interrupt"}},
		{"DoubledThenSecond", nil, []at{stop(0), intr(20 * ms), intr(2000 * ms)}, []string{"20ms repeat interrupt", "2s force interrupt"}},
		{"Second", nil, []at{stop(0), term(500 * ms), intr(600 * ms)}, []string{"500ms force terminated"}},
		{"JustARepeat", nil, []at{stop(0), intr(499 * ms)}, []string{"499ms repeat interrupt"}},
		{"ManyRepeats", nil, []at{stop(0), intr(200 * ms), intr(400 * ms), intr(600 * ms)}, []string{"200ms repeat interrupt", "400ms repeat interrupt", "600ms force interrupt"}},

		// Earlier hooks take 3 s to stop. A watch that has not seen the first signal takes
		// the one that comes 20 ms into OnStop for a repeat.
		{"SlowHooks", nil, []at{stop(3000 * ms), intr(3020 * ms)}, []string{"3.02s repeat interrupt"}},
		{"SlowHooksSeen", both, []at{intr(0), stop(3000 * ms), intr(3020 * ms)},
			[]string{"0s unready interrupt", "100ms end", "3.02s force interrupt"}},
		{"SlowHooksDoubled", both, []at{intr(0), intr(20 * ms), stop(3000 * ms)},
			[]string{"0s unready interrupt", "20ms unready interrupt", "100ms end"}},
		{"SlowHooksSecond", both, []at{term(0), intr(2000 * ms), stop(3000 * ms)},
			[]string{"0s unready terminated", "100ms end", "2s unready interrupt", "3s force interrupt"}},

		// Only force signals count as the first one.
		{"OtherSignal", []os.Signal{syscall.SIGHUP}, []at{hup(0), stop(3000 * ms), intr(3020 * ms)},
			[]string{"0s unready hangup", "3.02s repeat interrupt"}},
		{"OtherSignalInStop", []os.Signal{syscall.SIGHUP}, []at{stop(0), hup(3000 * ms)}, nil},

		{"FxActs", both, []at{term(0), stop(50 * ms)}, []string{"0s unready terminated"}},
		{"FxDoesNotAct", both, []at{term(0)}, []string{"0s unready terminated", "100ms end"}},
		{"ManySignals", both, []at{term(0), term(60 * ms), term(120 * ms)},
			[]string{"0s unready terminated", "60ms unready terminated", "100ms end", "120ms unready terminated"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var got []string
				note := func(what string) { got = append(got, fmt.Sprintf("%v %s", time.Since(began), what)) }
				w := &signalWatch{
					unready:   tt.unready,
					force:     both,
					onUnready: func(s os.Signal) { note("unready " + s.String()) },
					onRepeat:  func(s os.Signal) { note("repeat " + s.String()) },
					onForce:   func(s os.Signal) { note("force " + s.String()) },
					endApp:    func() { note("end") },
				}
				w.open()
				go w.run()
				for _, e := range tt.events {
					time.Sleep(e.time - time.Since(began))
					if e.signal == nil {
						known := make(chan struct{})
						w.stopping <- known
						<-known
					} else {
						w.signals <- e.signal
					}
					synctest.Wait()
				}
				time.Sleep(time.Minute)
				close(w.quit)
				<-w.ended
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// The signal that begins a stop makes the server unready first, even if Fx receives it
// before the watch does.
func TestSignalWatchPending(t *testing.T) {
	for range 100 {
		unready := false
		w := &signalWatch{
			unready:   []os.Signal{os.Interrupt},
			onUnready: func(os.Signal) { unready = true },
			endApp:    func() {},
		}
		w.start()
		w.signals <- os.Interrupt
		w.beginStop()
		if !unready {
			t.Error("OnStop has begun, but the server is still ready")
		}
		w.end()
	}
}
