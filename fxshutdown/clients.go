package fxshutdown

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// What must be quiet is a client, not a connection. A pool, such as that of a proxy or of
// http.Transport, is one client: responses that say close take its newest connections
// away, and it reaches for older ones, each of which has been quiet. So what happens on
// one connection of a client, even on one that is gone, counts for all of them.
//
// A client is a remote IP address; all peers of a unix socket are one. An address
// that is not an IP address stands for itself. The addresses are those that the
// listener's connections report: with the PROXY protocol, those of the proxy's clients.

// client is what is known of a client while its connections retire.
type client struct {
	seen    atomic.Int64 // the moment of the last sign of it
	running atomic.Int32 // its running requests, except those that hijacked their connections
	wait    atomic.Int64 // how much longer its quiet connections are kept while it is not quiet; 0: not measured
}

// note notes a sign of the client.
func (cl *client) note(at moment) {
	for {
		seen := cl.seen.Load()
		if seen >= int64(at) || cl.seen.CompareAndSwap(seen, int64(at)) {
			return
		}
	}
}

// isBusy reports whether a request of the client runs.
func (cl *client) isBusy() bool { return cl.running.Load() > 0 }

// quietSince returns since when the client has been quiet, if it is not busy.
func (cl *client) quietSince() moment { return moment(cl.seen.Load()) }

// maxWait returns how much longer than IdleGrace a quiet connection of the client is kept
// because the client is not quiet.
func (cl *client) maxWait() time.Duration {
	return max(maxClientWait, time.Duration(cl.wait.Load()))
}

// measure asks the kernel, once, how far away the client is, through one of its
// connections. It reports whether that changes maxWait.
func (cl *client) measure(nc net.Conn) bool {
	if cl.wait.Load() != 0 {
		return false
	}
	wait := min(maxClientWait+clientRounds*roundTrip(nc), maxFarClientWait)
	return cl.wait.CompareAndSwap(0, int64(wait)) && wait > maxClientWait
}

// clientSet has the clients of the connections that retire. It is empty while
// the server serves.
type clientSet struct {
	mu     sync.Mutex // guards byAddr; a leaf
	byAddr map[any]*client
}

// of returns the client with the given address.
func (cs *clientSet) of(addr net.Addr) *client {
	key := clientKey(addr)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cl := cs.byAddr[key]
	if cl == nil {
		if cs.byAddr == nil {
			cs.byAddr = make(map[any]*client)
		}
		cl = new(client)
		cs.byAddr[key] = cl
	}
	return cl
}

// clientKey returns what all addresses of one client have in common.
func clientKey(addr net.Addr) any {
	switch a := addr.(type) {
	case nil:
		return nil
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UnixAddr:
		return "unix"
	}
	s := addr.String()
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap()
	}
	return s
}
