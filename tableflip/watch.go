package fxhttptableflip

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
)

// watch upgrades at signals, from the end of the app's start until it begins to stop.
type watch struct {
	upgrader *Upgrader
	signals  []os.Signal

	received chan os.Signal
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// start tells the predecessor to go.
func (w *watch) start() error {
	u := w.upgrader
	if u.upgrader == nil {
		return nil
	}
	// Before any other process knows this one: SIGHUP would end it.
	w.received = make(chan os.Signal, 1)
	if len(w.signals) > 0 { // for signal.Notify, none means all
		signal.Notify(w.received, w.signals...)
	}
	if err := u.upgrader.Ready(); err != nil {
		return fmt.Errorf("fxhttptableflip: %w", err)
	}
	u.ready.Store(true)
	var ctx context.Context
	ctx, w.cancel = context.WithCancel(context.Background())
	w.running.Go(func() { w.upgrade(ctx) })
	return nil
}

func (w *watch) upgrade(ctx context.Context) {
	u := w.upgrader
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-w.received:
			u.logInfo("fxhttptableflip: upgrading", "signal", s.String())
			switch err := u.Upgrade(ctx); {
			case err == nil:
				u.logInfo("fxhttptableflip: a successor serves, so this process ends")
			case !errors.Is(err, context.Canceled):
				u.logError("fxhttptableflip: this process serves on", "error", err)
			}
		}
	}
}

// stop stops the Upgrader, and with it an upgrade under way.
func (w *watch) stop() {
	if w.cancel == nil {
		return
	}
	w.cancel()
	w.upgrader.stop()
	w.running.Wait()
}

// end stops catching the signals. Uncaught, they would have ended a process that drains.
func (w *watch) end() {
	if w.received != nil {
		signal.Stop(w.received)
	}
}
