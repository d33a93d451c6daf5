package fxhttptableflip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudflare/tableflip"
	"go.uber.org/fx"
)

// Upgrader upgrades the process. [Module] provides it. Its methods may be called at any
// time from any goroutine.
type Upgrader struct {
	shutdowner        fx.Shutdowner
	logInfo, logError func(msg string, keysAndValues ...any)

	// open writes these when the app is built.
	upgrader  *tableflip.Upgrader // nil where tableflip is not supported
	listeners map[address]net.Listener

	ready    atomic.Bool // the predecessor has been told to go
	upgraded atomic.Bool // a successor is ready
	owned    atomic.Bool // tableflip's descriptors are closed, and there is no successor

	mu sync.Mutex // held during an upgrade
}

// open opens the listeners, or takes over those of the predecessor.
func (u *Upgrader) open(opts tableflip.Options, addresses []address) error {
	upgrader, err := newTableflip(opts)
	listen := listenPlain
	switch {
	case errors.Is(err, tableflip.ErrNotSupported):
		u.owned.Store(true)
	case err != nil:
		return err
	default:
		u.upgrader = upgrader
		listen = func(network, addr string) (net.Listener, error) {
			return upgrader.Fds.ListenWithCallback(network, addr, listenPlain)
		}
	}
	for _, a := range addresses {
		ln, err := listen(a.network, a.addr)
		if err != nil {
			return fmt.Errorf("listen on %s %q: %w", a.network, a.addr, err)
		}
		u.listeners[a] = ln
	}
	return nil
}

// newTableflip is replaced by tests.
var newTableflip = tableflip.New

// listenPlain listens without Multipath TCP, which cannot ignore new handshakes during the
// last stop.
func listenPlain(network, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), network, addr)
}

// Fds returns the descriptors that successors get, for sockets that no fxhttp server
// serves. Take them in constructors: what the predecessor passed and no constructor took is
// closed when the start is over. Fds returns nil where tableflip is not supported
// (Windows).
func (u *Upgrader) Fds() *tableflip.Fds {
	if u.upgrader == nil {
		return nil
	}
	return u.upgrader.Fds
}

// Upgraded reports whether a successor serves, so that this process is to end.
func (u *Upgrader) Upgraded() bool { return u.upgraded.Load() }

// Upgrade starts a successor, and returns when the successor is ready and this app has been
// told to stop. If a predecessor still drains, Upgrade first waits until the predecessor or
// ctx ends. An error says why there is no successor; this process then serves on. Only one
// upgrade is made at a time; further calls wait for it.
func (u *Upgrader) Upgrade(ctx context.Context) error {
	if u.upgrader == nil {
		return fmt.Errorf("fxhttptableflip: upgrade: %w", tableflip.ErrNotSupported)
	}
	// Errors other than that of ctx say that the predecessor did not end as tableflip expects.
	if err := u.upgrader.WaitForParent(ctx); ctx.Err() != nil {
		return fmt.Errorf("fxhttptableflip: wait for the predecessor's end: %w", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.upgrader.Upgrade()
	for end := time.Now().Add(maxNotice); u.ready.Load() && isUnnoticed(err) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		err = u.upgrader.Upgrade()
	}
	if err != nil {
		return fmt.Errorf("fxhttptableflip: upgrade: %w", err)
	}
	u.upgraded.Store(true)
	<-u.upgrader.Exit() // its descriptors are closed
	// An error says that the app has already been told to end.
	_ = u.shutdowner.Shutdown()
	return nil
}

// maxNotice bounds how long tableflip may take to notice what has happened.
const maxNotice = time.Second

// isUnnoticed reports whether tableflip refuses an upgrade for a reason that is gone.
// WaitForParent and Ready return before tableflip's goroutine has noticed the end of the
// predecessor, or the readiness: of 60 upgrades that had waited, one was refused. In
// tableflip 1.2.3, only the texts of these errors differ from those of others.
func isUnnoticed(err error) bool {
	return err != nil && (err.Error() == "parent hasn't exited" || err.Error() == "process is not ready yet")
}

// stop closes tableflip's descriptors, so that the servers can close the sockets. A
// successor that is not ready yet is killed.
func (u *Upgrader) stop() {
	if u.upgrader == nil {
		return
	}
	if u.upgrader.HasParent() && !u.ready.Load() {
		// The start failed: the predecessor serves on, and tableflip would remove the files
		// of its Unix sockets. The end of the process closes the descriptors.
		return
	}
	u.upgrader.Stop()
	<-u.upgrader.Exit()
	u.mu.Lock() // a running upgrade returns now, and says how it ended
	defer u.mu.Unlock()
	u.owned.Store(!u.upgraded.Load())
}
