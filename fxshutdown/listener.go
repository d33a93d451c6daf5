package fxshutdown

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// listener is what the serving server accepts from. It does the waiting itself and
// returns only final errors: net/http sleeps for up to a second after a temporary error,
// and takes a passed deadline for one.
type listener struct {
	net.Listener
	conns      *connSet
	events     *dispatcher
	openedHere bool   // by Start, so that no other process shares it
	kernel     kernel // what the kernel says about the socket; nil: nothing

	closing chan struct{} // closed by shut
	starved chan struct{} // closed when Accept cannot accept what waits
	ended   chan struct{} // closed when Accept has returned its final error
	closed  chan struct{} // closed when the listener's Close has returned

	acceptingSince atomic.Int64 // the moment at which the accept under way began; 0: there is none
	file           os.FileInfo  // of the unix socket that Start has opened

	// shut writes these before it closes closing.
	owner     owner
	keptAway  bool  // new clients are kept away from the queue
	unguarded error // why they are not, although ListenerOwned allows it

	queue       queue  // the accepting goroutine's, until ended is closed
	limitToldAt moment // the accepting goroutine's too: when LimitReached was last emitted; 0: never

	closeOnce sync.Once
	closeErr  error // of the first Close
	left      int   // connections that were in the queue then, if the kernel tells
}

type deadliner interface{ SetDeadline(time.Time) error }

func newListener(l net.Listener, conns *connSet, events *dispatcher, openedHere bool) *listener {
	ln := &listener{
		Listener:   l,
		conns:      conns,
		events:     events,
		openedHere: openedHere,
		kernel:     kernelOf(l),
		closing:    make(chan struct{}),
		starved:    make(chan struct{}),
		ended:      make(chan struct{}),
		closed:     make(chan struct{}),
	}
	if ul, ok := l.(*net.UnixListener); ok && openedHere {
		// Close would remove the file too late, when the queue is already empty, and also
		// if the file belongs to somebody else by then.
		ul.SetUnlinkOnClose(false)
		if name := l.Addr().String(); !isAbstract(name) {
			ln.file, _ = os.Lstat(name)
		}
	}
	return ln
}

// Accept returns the next connection, including those that are queued when the server
// closes the listener, and then a final error. Only the goroutine of Serve calls it.
func (l *listener) Accept() (net.Conn, error) {
	for delay := time.Duration(0); ; {
		if isClosed(l.closing) {
			return l.acceptQueued()
		}
		if !l.conns.hasRoom() {
			l.awaitRoom()
			continue
		}
		raw, err := l.accept()
		if err == nil {
			if c, ok := l.conns.track(raw); ok {
				return c, nil
			}
			raw.Close()
			continue
		}
		switch {
		case isClosed(l.closing):
			// Woken by shut.
		case isTemporary(err):
			delay = min(max(2*delay, minAcceptDelay), maxAcceptDelay)
			l.events.emit(&AcceptRetrying{Err: err, Delay: delay})
			pause(delay, l.closing)
		default:
			close(l.ended)
			return nil, err
		}
	}
}

func (l *listener) accept() (net.Conn, error) {
	l.acceptingSince.Store(int64(l.conns.now()))
	defer l.acceptingSince.Store(0)
	return l.Listener.Accept()
}

// pause waits for d, or until end is closed.
func pause(d time.Duration, end <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-end:
	}
}

// isTemporary judges an accept error as net/http does.
func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// Close closes the listener, once. Its error is kept for the report.
func (l *listener) Close() error {
	l.closeOnce.Do(func() {
		l.removeFile()
		if l.kernel != nil && l.owner != ownerOther {
			l.left, _ = l.kernel.queued()
		}
		if l.keptAway && !l.openedHere {
			// Otherwise another process that has the socket too, unknown to its owner,
			// would be deaf.
			l.kernel.hearSYNs()
		}
		l.closeErr = l.Listener.Close()
		close(l.closed)
	})
	<-l.closed
	return l.closeErr
}

// removeFile removes the file of a unix socket that Start has opened, unless somebody
// else's file has taken its place.
func (l *listener) removeFile() {
	if l.file == nil {
		return
	}
	name := l.Addr().String()
	if now, err := os.Lstat(name); err == nil && os.SameFile(now, l.file) {
		os.Remove(name)
	}
}
