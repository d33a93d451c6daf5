package fxhttp

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

const (
	// forceSignalGap is the time after the first signal in which another one counts as
	// its repeat and does not force the end: npm, make and shells pass on a Ctrl-C that
	// the terminal has already sent to the whole process group.
	forceSignalGap = 500 * time.Millisecond

	// fxSignalTime is how long Fx may take to act on a signal that it listens for.
	fxSignalTime = 100 * time.Millisecond
)

// signalWatch handles the signals of a server. Its goroutine runs from OnStart to the end
// of OnStop. It takes the unready signals all that time, but the force signals only from
// OnStop on: until then they keep whatever effect they have in the app.
type signalWatch struct {
	unready []os.Signal
	force   []os.Signal

	onUnready func(os.Signal)
	onForce   func(os.Signal)
	endApp    func() // stops the app as Fx does at a signal

	signals  chan os.Signal
	stopping chan struct{} // closed when OnStop begins
	quit     chan struct{} // closed when it is over
	ended    chan struct{} // closed by run
}

// start starts the goroutine.
func (w *signalWatch) start() {
	w.open()
	notify(w.signals, w.unready)
	go w.run()
}

func (w *signalWatch) open() {
	w.signals = make(chan os.Signal, 8) // a few that come at once are not lost
	w.stopping, w.quit, w.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
}

// beginStop says that OnStop has begun.
func (w *signalWatch) beginStop() {
	notify(w.signals, w.force)
	close(w.stopping)
}

// end ends the goroutine and waits for it.
func (w *signalWatch) end() {
	signal.Stop(w.signals)
	close(w.quit)
	<-w.ended
}

// notify is signal.Notify, except that no signals means none: to signal.Notify it means
// all.
func notify(c chan<- os.Signal, signals []os.Signal) {
	if len(signals) > 0 {
		signal.Notify(c, signals...)
	}
}

func (w *signalWatch) run() {
	defer close(w.ended)
	var (
		stopping = w.stopping
		first    time.Time        // when the first force signal came, or the stop began
		second   os.Signal        // the one that forces
		fxLate   <-chan time.Time // receives when Fx should have acted
	)
	for {
		select {
		case <-w.quit:
			return
		case <-stopping:
			stopping, fxLate = nil, nil
			if first.IsZero() {
				// A signal that began the stop came before we listened.
				first = time.Now()
			}
		case <-fxLate:
			// Fx listens only when the whole app has started. Before, the signal would
			// have killed the process, had we not taken it: it must not be lost.
			w.endApp()
		case s := <-w.signals:
			if stopping != nil && slices.Contains(w.unready, s) {
				w.onUnready(s)
				if fxLate == nil && (s == os.Interrupt || s == syscall.SIGTERM) { // those that Fx acts on
					fxLate = time.After(fxSignalTime)
				}
			}
			switch {
			case !slices.Contains(w.force, s):
			case first.IsZero():
				first = time.Now()
			case time.Since(first) >= forceSignalGap:
				second = s
			}
		}
		if stopping == nil && second != nil {
			w.onForce(second)
			return
		}
	}
}
