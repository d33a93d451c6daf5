package fxshutdown

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// listen opens the listener that cfg and addr ask for.
func listen(ctx context.Context, cfg Config, addr string) (net.Listener, error) {
	if addr == "" {
		if cfg.Network == "unix" || cfg.Network == "unixpacket" {
			return nil, fmt.Errorf("listen on %s: no path: set the http.Server's Addr", cfg.Network)
		}
		addr = ":http"
		if cfg.TLS {
			addr = ":https"
		}
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // see ignoreSYNs
	ln, err := lc.Listen(ctx, cfg.Network, addr)
	if err != nil && cfg.Network == "unix" && errors.Is(err, errnoInUse) && removeStale(addr) {
		ln, err = lc.Listen(ctx, cfg.Network, addr)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s %q: %w", cfg.Network, addr, err)
	}
	return ln, nil
}

// removeStale removes the socket that a crashed process left behind: a file
// that is a socket and that nobody listens on.
func removeStale(path string) bool {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return false
	}
	return errors.Is(err, errnoRefused) && os.Remove(path) == nil
}

// listener is what the serving server accepts from. It waits by itself and
// returns only final errors: net/http sleeps up to a second on temporary ones,
// and a deadline is one of them.
type listener struct {
	net.Listener
	conns      *connSet
	events     *dispatcher
	openedHere bool // by Start, so that no other process shares it

	closing chan struct{} // closed by shut
	ended   chan struct{} // closed when Accept has returned its final error
	closed  chan struct{} // closed when the listener's Close has returned

	acceptingSince atomic.Int64 // the moment at which the accept under way began; 0: there is none
	file           os.FileInfo  // of the unix socket that Start has opened

	// The accepting goroutine writes these before ended is closed, and reads
	// them afterwards only.
	queued     int       // accepted since closing
	queueUntil time.Time // when emptying the queue ends at the latest
	flooded    bool      // the queue would not run empty

	closeOnce sync.Once
	closeErr  error // of the first Close
}

type deadliner interface{ SetDeadline(time.Time) error }

func newListener(l net.Listener, conns *connSet, events *dispatcher, openedHere bool) *listener {
	ln := &listener{
		Listener:   l,
		conns:      conns,
		events:     events,
		openedHere: openedHere,
		closing:    make(chan struct{}),
		ended:      make(chan struct{}),
		closed:     make(chan struct{}),
	}
	if ul, ok := l.(*net.UnixListener); ok && openedHere {
		// Closing would remove the file too late for the queue, and whoever it
		// belongs to by then.
		ul.SetUnlinkOnClose(false)
		if name := l.Addr().String(); !strings.HasPrefix(name, "@") { // an abstract name has no file
			ln.file, _ = os.Lstat(name)
		}
	}
	return ln
}

// Accept returns the next connection, those that are queued when the server
// closes the listener included, and then a final error. Only the goroutine of
// Serve calls it.
func (l *listener) Accept() (net.Conn, error) {
	for delay := time.Duration(0); ; {
		if isClosed(l.closing) {
			return l.acceptQueued()
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
			delay = min(max(2*delay, 5*time.Millisecond), maxAcceptDelay)
			l.events.emit(&AcceptRetrying{Err: err, Delay: delay})
			l.pause(delay)
		default:
			close(l.ended)
			return nil, err
		}
	}
}

// acceptQueued returns the next connection of the queue. When there is none it
// closes the listener and returns net.ErrClosed.
func (l *listener) acceptQueued() (net.Conn, error) {
	dl, hasDeadline := l.Listener.(deadliner)
	for empty := 0; empty < queueLooks; {
		if l.queueUntil.IsZero() {
			l.queueUntil = time.Now().Add(maxQueue)
			l.keepOthersAway()
		} else if time.Now().After(l.queueUntil) {
			l.flooded = empty == 0
			break
		}
		if hasDeadline {
			dl.SetDeadline(time.Now().Add(queueLook))
		}
		raw, err := l.accept()
		if err == nil {
			l.queued++
			if c, ok := l.conns.track(raw); ok {
				return c, nil
			}
			raw.Close()
			empty = 0
			continue
		}
		if isTemporary(err) && !errors.Is(err, os.ErrDeadlineExceeded) {
			time.Sleep(queueLook) // out of descriptors: some will be closed
			continue
		}
		if !isTemporary(err) {
			break // closed by shut, or broken
		}
		empty++
	}
	l.Close()
	close(l.ended)
	return nil, net.ErrClosed
}

// keepOthersAway keeps new clients away from the queue, where that is possible. A
// socket that another process may go on listening on, systemd or a successor,
// is left alone: what is done to it would outlive us.
func (l *listener) keepOthersAway() {
	if !l.openedHere {
		return
	}
	if _, ok := l.Listener.(*net.UnixListener); ok {
		l.removeFile()
		return
	}
	ignoreSYNs(l.Listener)
}

// removeFile removes the file of a unix socket that Start has opened, unless
// somebody else's has taken its place.
func (l *listener) removeFile() {
	if l.file == nil {
		return
	}
	name := l.Addr().String()
	if now, err := os.Lstat(name); err == nil && os.SameFile(now, l.file) {
		os.Remove(name)
	}
}

func (l *listener) accept() (net.Conn, error) {
	l.acceptingSince.Store(int64(max(l.conns.now(), 1)))
	defer l.acceptingSince.Store(0)
	return l.Listener.Accept()
}

// shut makes Accept empty the queue and end, and closes the listener. It
// reports whether that is done: not if the listener's Close blocks. When giveUp is
// closed it no longer waits for the queue to be empty.
func (l *listener) shut(giveUp <-chan struct{}) bool {
	close(l.closing)
	if dl, ok := l.Listener.(deadliner); ok && dl.SetDeadline(time.Unix(1, 0)) == nil {
		select {
		case <-l.ended:
		case <-giveUp: // or a hook of the user's blocks the accepting goroutine
		}
	} else {
		l.awaitStill(giveUp)
	}
	go l.Close()
	t := time.NewTimer(schedulingSlack)
	defer t.Stop()
	select {
	case <-l.closed:
	case <-t.C:
		return false
	}
	// What Accept has in its hands is still to be tracked.
	select {
	case <-l.ended:
	case <-giveUp:
	case <-t.C:
	}
	return true
}

// awaitStill returns when an accept has waited for queueStill in vain: then the
// queue of a listener without deadlines was empty.
func (l *listener) awaitStill(giveUp <-chan struct{}) {
	t := time.NewTimer(queueStill)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-l.ended:
			return
		case <-giveUp:
			return
		}
		wait := queueStill
		if since := moment(l.acceptingSince.Load()); since != 0 {
			if wait = since + queueStill - l.conns.now(); wait <= 0 {
				return
			}
		}
		t.Reset(wait)
	}
}

// Close closes the listener, once. Its error is kept for the report.
func (l *listener) Close() error {
	l.closeOnce.Do(func() {
		l.removeFile()
		l.closeErr = l.Listener.Close()
		close(l.closed)
	})
	<-l.closed
	return l.closeErr
}

// pause waits, unless the listener is closed meanwhile.
func (l *listener) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.closing:
	}
}

// isTemporary is what net/http asks an accept error.
func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}
