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
	onRepeat  func(os.Signal) // for a repeat of the signal that began the stop
	onForce   func(os.Signal)
	endApp    func() // stops the app as Fx does at a signal

	signals  chan os.Signal
	stopping chan chan struct{} // receives when OnStop begins; run closes the received channel
	quit     chan struct{}      // closed when OnStop ends
	ended    chan struct{}      // closed when run has returned
}

func (w *signalWatch) start() {
	w.open()
	notify(w.signals, w.unready)
	go w.run()
}

func (w *signalWatch) open() {
	w.signals = make(chan os.Signal, 8) // so that several at once are not lost
	w.stopping, w.quit, w.ended = make(chan chan struct{}), make(chan struct{}), make(chan struct{})
}

// beginStop tells the goroutine that OnStop has begun. It returns when the goroutine has
// handled the signal that began the stop: Fx may have received it earlier than the watch.
func (w *signalWatch) beginStop() {
	notify(w.signals, w.unready) // called again because it waits for a delivery under way
	notify(w.signals, w.force)
	known := make(chan struct{})
	w.stopping <- known
	<-known
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
	r := signalRun{signalWatch: w}
	for {
		select {
		case <-w.quit:
			return
		case known := <-w.stopping:
			for pending := true; pending; {
				select {
				case s := <-w.signals:
					r.take(s)
				default:
					pending = false
				}
			}
			r.beginStop()
			close(known)
		case <-r.fxLate:
			// Fx listens only once the whole app has started. Until then the signal would
			// have killed the process if the watch had not taken it, so it must still
			// stop the app.
			w.endApp()
		case s := <-w.signals:
			r.take(s)
		}
		if r.stopping && r.second != nil {
			w.onForce(r.second)
			return
		}
	}
}

// signalRun is the state of the goroutine.
type signalRun struct {
	*signalWatch

	stopping bool
	first    time.Time        // when the first force signal came, or the stop began
	second   os.Signal        // the signal that forces the end
	fxLate   <-chan time.Time // receives when Fx should have acted on a signal
}

func (r *signalRun) beginStop() {
	r.stopping, r.fxLate = true, nil
	if r.first.IsZero() {
		r.first = time.Now() // if a signal began the stop, it came before the watch listened for it
	}
}

func (r *signalRun) take(s os.Signal) {
	if !r.stopping && slices.Contains(r.unready, s) {
		r.onUnready(s)
		if r.fxLate == nil && (s == os.Interrupt || s == syscall.SIGTERM) { // the signals that Fx acts on
			r.fxLate = time.After(fxSignalTime)
		}
	}
	switch {
	case !slices.Contains(r.force, s):
	case r.first.IsZero():
		r.first = time.Now()
	case time.Since(r.first) >= forceSignalGap:
		r.second = s
	case r.stopping:
		r.onRepeat(s)
	}
}
