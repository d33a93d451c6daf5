package fxshutdown

import (
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeSocket is a listener and its kernel. Clients come at moments after its first
// deadline, which shut sets.
type fakeSocket struct {
	comes  []time.Duration // when each handshake is complete
	knocks bool            // more come, one every 100 µs, unless they are kept away
	fails  func(since time.Duration) error
	untold error // of handshakes
	deaf   bool  // refuses the filter

	began    time.Time
	deadline time.Time
	accepted int
	asked    int
	ignores  bool
	heard    bool // hearSYNs was called, before Close
	closed   bool
	conns    []net.Conn
}

func (f *fakeSocket) since() time.Duration {
	if f.began.IsZero() {
		return 0
	}
	return time.Since(f.began)
}

// done returns how many handshakes are complete.
func (f *fakeSocket) done() (n int) {
	for _, at := range f.comes {
		if at <= f.since() {
			n++
		}
	}
	if f.knocks && !f.ignores {
		n += int(f.since() / (100 * time.Microsecond))
	}
	return n
}

func (f *fakeSocket) Accept() (net.Conn, error) {
	for {
		if f.closed {
			return nil, net.ErrClosed
		}
		if f.fails != nil {
			if err := f.fails(f.since()); err != nil {
				return nil, err
			}
		}
		if f.done() > f.accepted {
			f.accepted++
			server, client := net.Pipe()
			f.conns = append(f.conns, client)
			return server, nil
		}
		if !time.Now().Before(f.deadline) {
			return nil, os.ErrDeadlineExceeded
		}
		time.Sleep(min(50*time.Microsecond, time.Until(f.deadline)))
	}
}

func (f *fakeSocket) SetDeadline(t time.Time) error {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	f.deadline = t
	return nil
}

func (f *fakeSocket) Close() error   { f.closed = true; return nil }
func (f *fakeSocket) Addr() net.Addr { return &net.TCPAddr{} }

func (f *fakeSocket) ignoreSYNs() error {
	if f.deaf {
		return errDeaf
	}
	f.ignores = true
	return nil
}

func (f *fakeSocket) hearSYNs() { f.heard = !f.closed }
func (f *fakeSocket) queued() (int, bool) {
	return f.done() - f.accepted, true
}

// handshakes takes its time, as the kernel does.
func (f *fakeSocket) handshakes() (int, error) {
	f.asked++
	time.Sleep(3 * time.Millisecond)
	return len(f.comes) - min(f.done(), len(f.comes)), f.untold
}

var errDeaf = errors.New("refused")

// TestAcceptQueued empties queues in fake time.
func TestAcceptQueued(t *testing.T) {
	const ms = time.Millisecond
	emfile := os.NewSyscallError("accept", syscall.EMFILE)
	refused := errors.New("refused")
	for _, tt := range []struct {
		name     string
		socket   fakeSocket
		given    bool // given, not opened by Start
		owner    owner
		noKernel bool
		open     bool // a connection is open all the time
		limit    int
		serve    time.Duration // how long each connection is open

		accepted   int
		left       int
		handshakes int
		asked      int
		flooded    bool
		unguarded  error
		heard      bool
		err        error
		least      time.Duration
		most       time.Duration
	}{
		{name: "Nothing", asked: 1, least: 3 * ms, most: 3 * ms},
		{name: "Queued", socket: fakeSocket{comes: []time.Duration{0, 0, 0}},
			accepted: 3, asked: 1, least: 3 * ms, most: 3 * ms},
		{name: "WhileAsked", socket: fakeSocket{comes: []time.Duration{ms}},
			accepted: 1, asked: 2, least: 6 * ms, most: 6 * ms},
		{name: "Far", socket: fakeSocket{comes: []time.Duration{10 * ms, 40 * ms, 150 * ms}, knocks: true},
			accepted: 3, asked: 11, least: 153 * ms, most: 155 * ms},
		{name: "TooFar", socket: fakeSocket{comes: []time.Duration{10 * ms, time.Hour}},
			accepted: 1, handshakes: 1, asked: 55, least: time.Second, most: time.Second + 3*ms},
		{name: "KernelRefuses", socket: fakeSocket{comes: []time.Duration{4 * ms}, untold: refused},
			accepted: 1, asked: 1, least: 7 * ms, most: 7 * ms},

		// A listener that is given.
		{name: "Unknown/Nothing", given: true, asked: 1, least: 3 * ms, most: 3 * ms},
		{name: "Unknown/Far", given: true, socket: fakeSocket{comes: []time.Duration{40 * ms}},
			accepted: 1, asked: 5, least: 43 * ms, most: 45 * ms},
		{name: "Unknown/Silent", given: true, noKernel: true, least: 3 * ms, most: 3 * ms},
		{name: "Unknown/Flood", given: true, noKernel: true, socket: fakeSocket{knocks: true},
			accepted: 2500, flooded: true, least: maxQueue, most: maxQueue},
		{name: "Unknown/Gap", given: true, noKernel: true, socket: fakeSocket{comes: []time.Duration{0, 0, 0, 0, 0, ms, 2 * ms}},
			accepted: 5, least: queueGap, most: queueGap},
		{name: "Owned", given: true, owner: ownerUs, socket: fakeSocket{comes: []time.Duration{40 * ms}, knocks: true},
			accepted: 1, asked: 5, heard: true, least: 43 * ms, most: 45 * ms},
		{name: "Owned/Refused", given: true, owner: ownerUs, socket: fakeSocket{deaf: true},
			asked: 1, unguarded: errDeaf, least: 3 * ms, most: 3 * ms},
		{name: "Other", given: true, owner: ownerOther, socket: fakeSocket{comes: []time.Duration{0, 0}}},

		// Out of descriptors.
		{name: "Starved", socket: fakeSocket{comes: []time.Duration{0, 0}, fails: func(since time.Duration) error {
			if since < 40*ms {
				return emfile
			}
			return nil
		}}, accepted: 2, asked: 1, least: 43 * ms, most: 49 * ms},
		{name: "Starved/WhileOthersAreOpen", open: true, socket: fakeSocket{comes: []time.Duration{0, 0}, fails: func(since time.Duration) error {
			if since < time.Minute {
				return emfile
			}
			return nil
		}}, accepted: 2, asked: 1, least: time.Minute, most: time.Minute + 9*ms},
		{name: "Starved/ForGood", socket: fakeSocket{comes: []time.Duration{0, 0}, fails: func(time.Duration) error { return emfile }},
			left: 2, err: emfile, least: maxHandshake, most: maxHandshake + 5*ms},
		// At the limit of connections.
		{name: "Limit", limit: 2, serve: time.Minute, socket: fakeSocket{comes: make([]time.Duration, 10)},
			accepted: 10, asked: 1, least: 4*time.Minute + 3*ms, most: 4*time.Minute + 3*ms},
		{name: "Limit/Handshake", limit: 1, serve: time.Minute, socket: fakeSocket{comes: []time.Duration{0, 0, 10 * ms}},
			accepted: 3, asked: 1, least: 2*time.Minute + 3*ms, most: 2*time.Minute + 3*ms},
		{name: "Limit/NobodyWaits", limit: 1, open: true, asked: 1, least: 3 * ms, most: 3 * ms},
		{name: "Limit/Given", given: true, limit: 2, serve: time.Minute, socket: fakeSocket{comes: make([]time.Duration, 10)},
			accepted: 10, asked: 0, least: 4 * time.Minute, most: 4*time.Minute + ms},
		{name: "Limit/Flood", given: true, limit: 2, serve: 30 * ms, socket: fakeSocket{comes: make([]time.Duration, 10), knocks: true},
			accepted: 26, left: 3884, flooded: true, least: 390 * ms, most: 400 * ms},
		{name: "Limit/UnknownQueue", given: true, noKernel: true, limit: 2, serve: time.Minute, socket: fakeSocket{comes: make([]time.Duration, 10)},
			accepted: 10, least: 5 * time.Minute, most: 5*time.Minute + ms},
		{name: "Limit/UnknownFlood", given: true, noKernel: true, limit: 2, serve: time.Second, socket: fakeSocket{knocks: true},
			accepted: unknownQueue, flooded: true, least: 63 * time.Second, most: 65 * time.Second},

		{name: "Broken", socket: fakeSocket{comes: []time.Duration{0, 0}, fails: func(time.Duration) error { return refused }},
			left: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &tt.socket
				l := newListener(f, newConnSet(new(http.Server)), newDispatcher(nil), !tt.given)
				l.conns.maxOpen = tt.limit
				if !tt.noKernel {
					l.kernel = f
				}
				if tt.open {
					server, client := net.Pipe()
					l.conns.track(server)
					f.conns = append(f.conns, client)
				}
				l.owner = tt.owner
				l.keepOthersAway()
				close(l.closing)
				f.SetDeadline(time.Unix(1, 0))
				for {
					c, err := l.Accept()
					if err != nil {
						if !errors.Is(err, net.ErrClosed) {
							t.Errorf("Accept() = %v, want net.ErrClosed", err)
						}
						break
					}
					c.Close()
					if tracked := l.conns.connOf(c); tt.serve == 0 {
						l.conns.remove(tracked)
					} else {
						time.AfterFunc(tt.serve, func() { l.conns.remove(tracked) })
					}
				}
				took := f.since()
				q := &l.queue
				if q.accepted != tt.accepted || l.left != tt.left || q.handshakes != tt.handshakes {
					t.Errorf("accepted %d, left %d and %d handshakes, want %d, %d and %d",
						q.accepted, l.left, q.handshakes, tt.accepted, tt.left, tt.handshakes)
				}
				if f.asked != tt.asked {
					t.Errorf("asked the kernel %d times for handshakes, want %d", f.asked, tt.asked)
				}
				if took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
				if q.flooded != tt.flooded || l.unguarded != tt.unguarded || f.heard != tt.heard || q.err != tt.err {
					t.Errorf("flooded %v, unguarded %v, heard %v, error %v; want %v, %v, %v, %v",
						q.flooded, l.unguarded, f.heard, q.err, tt.flooded, tt.unguarded, tt.heard, tt.err)
				}
				for _, c := range f.conns {
					c.Close()
				}
			})
		})
	}
}
