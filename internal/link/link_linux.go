package link

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrUnavailable is in the error of [Open] if this machine, or this user, cannot
// have a link. Tests skip then.
var ErrUnavailable = errors.New("link: needs root, network namespaces and /dev/net/tun")

// A Config describes a link. The zero value is one without delay or loss.
type Config struct {
	RTT  time.Duration // what the link adds to a round trip, half of it each way
	Loss float64       // the share of packets lost, in each direction
	Seed uint64        // of the decision which packets these are
}

// A Link connects two network namespaces. All methods may be called at any time
// from any goroutine.
type Link struct {
	Client *End
	Server *End

	pulled   atomic.Bool
	carried  atomic.Uint64
	lost     atomic.Uint64
	relaying sync.WaitGroup
	closing  sync.Once
}

// Open makes a link. The caller closes it.
func Open(cfg Config) (*Link, error) {
	l := &Link{}
	for _, e := range []struct {
		end  **End
		v4   string
		v6   string
		name string
	}{
		{&l.Client, ClientAddr, clientAddr6, "client"},
		{&l.Server, ServerAddr, serverAddr6, "server"},
	} {
		end, err := newEnd(e.v4, e.v6)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("open the %s's end of a link: %w", e.name, explain(err))
		}
		*e.end = end
	}
	l.relay(l.Client.tun, l.Server.tun, cfg, cfg.Seed)
	l.relay(l.Server.tun, l.Client.tun, cfg, cfg.Seed+1)
	return l, nil
}

// explain adds ErrUnavailable to what the machine does not allow.
func explain(err error) error {
	if !errors.Is(err, ErrUnavailable) && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// Pull pulls the cable: what is sent is lost until [Link.Plug], in both
// directions, and so is what was under way. Neither end is told.
func (l *Link) Pull() { l.pulled.Store(true) }

// Plug plugs the cable in again.
func (l *Link) Plug() { l.pulled.Store(false) }

// Packets returns how many packets arrived at the other end, and how many were
// lost, for whatever reason.
func (l *Link) Packets() (carried, lost uint64) { return l.carried.Load(), l.lost.Load() }

// Close takes the link away. Connections and processes that use it stay, but reach
// nothing.
func (l *Link) Close() {
	l.closing.Do(func() {
		for _, e := range []*End{l.Client, l.Server} {
			if e != nil {
				e.close()
			}
		}
		l.relaying.Wait()
	})
}

// home is the namespace that the process came from. It is opened once, and stays
// open.
var home = sync.OnceValues(func() (*os.File, error) { return os.Open("/proc/self/ns/net") })
