package fxshutdown

import (
	"sync"
	"time"
)

// dispatcher delivers events to a Logger one after another. Its goroutine lives while
// there are events, so it need not be stopped.
type dispatcher struct {
	logger Logger // nil: events go nowhere

	mu    sync.Mutex // guards what follows
	queue []Event
	idle  chan struct{} // closed by the goroutine when it ends; nil when there is none
}

// maxQueued is how many events may wait for a Logger that blocks: beyond that,
// AcceptRetrying and LimitReached are dropped. Other events never are; a stop has at most
// some 200 of them.
const maxQueued = 1000

func newDispatcher(l Logger) *dispatcher { return &dispatcher{logger: l} }

func (d *dispatcher) emit(e Event) {
	if d.logger == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e.(type) {
	case *AcceptRetrying, *LimitReached:
		if len(d.queue) >= maxQueued {
			return
		}
	}
	d.queue = append(d.queue, e)
	if d.idle == nil {
		d.idle = make(chan struct{})
		go d.run(d.idle)
	}
}

func (d *dispatcher) run(idle chan struct{}) {
	defer func() {
		d.mu.Lock()
		if d.idle == idle {
			d.idle = nil // the Logger has ended the goroutine
		}
		d.mu.Unlock()
		close(idle)
	}()
	for {
		d.mu.Lock()
		if len(d.queue) == 0 {
			d.queue, d.idle = nil, nil
			d.mu.Unlock()
			return
		}
		e := d.queue[0]
		d.queue = d.queue[1:]
		d.mu.Unlock()
		d.log(e)
	}
}

// log keeps a panic of the Logger from ending the process in the middle of a stop.
func (d *dispatcher) log(e Event) {
	defer func() { _ = recover() }()
	d.logger.LogEvent(e)
}

// flush waits until all events are logged, but no longer than most.
func (d *dispatcher) flush(most time.Duration) {
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	if idle == nil {
		return
	}
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}
