package fxshutdown

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"time"
)

// DefaultIdleGrace is the default of Config.IdleGrace. It is long enough for the next
// request of a busy client, and short beside an orchestrator's stop timeout.
const DefaultIdleGrace = 250 * time.Millisecond

// Config says where a [Server] listens and how it stops. The zero value is
// ready to use: it listens on the http.Server's Addr and stops with the
// defaults below.
//
// For every duration zero means the default and a negative value means none.
type Config struct {
	// Listener is served instead of one that Start opens. Start takes it over: the stop
	// closes it. Its connections need not be TCP. If it already returns *tls.Conn
	// (tls.NewListener), leave TLS off. Its SetDeadline, if it has one, shows when the
	// accept queue is empty; without one, the queue counts as empty when an Accept has
	// waited for 50 ms, or 5 ms if it is neither TCP nor unix. Other processes may share
	// the listener, so new handshakes are not filtered unless ListenerOwned says that
	// none does. If clients connect all the time, it is closed in the first gap of 0.2
	// ms, and after 250 ms at the latest. If all you need is a socket option, use
	// ListenConfig. Default: nil, Start opens one.
	Listener net.Listener

	// ListenerOwned reports whether the Listener's socket belongs to this process alone.
	// It is called when a stop begins, and must not block. Default: nil, the owner is not
	// known.
	//
	// True: this process alone serves the socket, and no other will after it. The stop
	// then treats the socket like one that Start has opened: on Linux, a filter ignores
	// new handshakes until just before the socket is closed, and the stop waits for the
	// handshakes under way. That requires plain TCP. Go's default is Multipath TCP, which
	// refuses the filter: net.ListenConfig.SetMultipathTCP(false) switches it off. If the
	// filter is refused, a warning says so, and the listener is closed in a gap, as if
	// the owner were not known.
	//
	// False: somebody else keeps the socket open: systemd, a parent process, a successor.
	// Closing it here resets nobody. Clients are accepted, answered and told to go while
	// connections that were open when the drain began, or their handlers, remain. Clients
	// that are in the queue after that are left to whoever accepts next.
	ListenerOwned func() bool

	// ListenerHandedOver reports, when a stop begins, whether a successor already accepts
	// from the Listener's socket, as after a successful upgrade by tableflip. Then the
	// stop closes the listener at once and takes nothing from its queue, whatever
	// ListenerOwned reports. There is no ShutdownDelay then: a load balancer that stopped
	// sending clients here would send them away from the successor. ListenerHandedOver
	// must not block. Default: nil, there is no successor.
	ListenerHandedOver func() bool

	// ListenConfig is what Start listens with, if you need a socket option (such as
	// SO_REUSEPORT, through its Control) or other keep-alive probes. Start copies it and
	// switches off Multipath TCP, under which new handshakes cannot be ignored. It does
	// so even if you have switched Multipath TCP on, which looks the same as Go's
	// default. Default: nil, a zero net.ListenConfig.
	ListenConfig *net.ListenConfig

	// Network is the network, as for net.Listen: "tcp", "tcp4", "tcp6", "unix" or
	// "unixpacket". Default: "tcp". The address is http.Server.Addr; an empty one means
	// ":http", or ":https" with TLS. If a crashed process has left the file of a unix
	// socket behind, it is replaced; do not start two servers at once on one such file.
	Network string

	// SocketMode is the mode of a unix socket's file, such as 0o660: whoever may write to
	// the file may connect. It may have only permission bits, and the umask does not
	// reduce them. The mode is in force before anybody can connect. Default: zero, which
	// means 0o777 less the umask.
	//
	// A SocketMode is an error with another Network, with a Listener, and on Windows,
	// which has no such modes. With an abstract address, which has no file, Start returns
	// an error. The ListenConfig's Control is called; its other fields concern TCP.
	// Access to the directory is up to you.
	SocketMode fs.FileMode

	// TLS serves TLS with the http.Server's TLSConfig, as
	// http.Server.ServeTLS does. Default: plain text.
	TLS bool

	// MaxConnections bounds how many connections are open at a time. Further clients
	// wait in the kernel's accept queue, unanswered, until a connection is gone.
	// Default: zero, no limit. A negative value is an error.
	//
	// An HTTP/2 connection counts as one, however many streams it has. Hijacked and idle
	// connections count until they are closed; http.Server.IdleTimeout frees the idle
	// ones. A closed connection counts until its last handler has returned. The event
	// [LimitReached] and [Stats] show when clients wait.
	//
	// The limit also holds during a stop: clients that wait are answered in turn, while
	// idle connections are dropped. Those whose turn does not come in the stop's time are
	// reset, and counted in Report.Unaccepted where the system provides the number; such
	// a stop is not graceful. See the limits in the package comment.
	MaxConnections int

	// ShutdownDelay is how long the server goes on as before after Stop was
	// called, while readiness already fails, so that load balancers send new clients
	// elsewhere. Default: none. It counts from [Server.SetUnready], if that came first.
	// It is skipped by a server that never accepted a connection, by one whose listener
	// is handed over, and when what is left of it does not fit the budget.
	ShutdownDelay time.Duration

	// DrainSpread is the time over which Stop tells the clients to go: one connection
	// after another, evenly, whether idle, streaming or hijacked, so that they do not all
	// come back to the other instances within one second. It begins with the stop, along
	// with ShutdownDelay. Clients that are still accepted during the delay are told by
	// their first response, and may come back to this server. Default: none, all are told
	// at once, after ShutdownDelay.
	//
	// A handler learns of its connection's turn from [Draining] with its request's
	// context. When the spread begins, [Server.Draining] is closed and the callbacks of
	// RegisterOnShutdown run: a hub that closes all of its WebSockets there defeats the
	// spread. RequestGrace counts from the end of the spread, HijackGrace from the turn
	// of each connection, DrainTimeout from the beginning of the spread. The spread takes
	// at most half of the time that Stop has before the force phase, and a warning says
	// so if it is shortened. A stop that Close or the http.Server's Shutdown begins has
	// no spread.
	DrainSpread time.Duration

	// IdleGrace is how long the client of a connection that waits for a request must
	// be quiet before the stop drops it. Default: [DefaultIdleGrace]. A connection
	// that has sent part of a header, or of a TLS handshake, has 300 ms more.
	IdleGrace time.Duration

	// RequestGrace is the time from the start of the drain after which the contexts of
	// the requests that are still running are cancelled, including those of hijacked
	// connections' handlers. Default: none, only the end of the budget cancels them. It
	// must not be shorter than IdleGrace.
	RequestGrace time.Duration

	// HijackGrace is the time from the start of the drain after which hijacked
	// connections are closed: our side first, the rest 100 ms later. Default: none,
	// only the end of the budget closes them. A connection that was hijacked under
	// [EndOnDrain] has at most 500 ms.
	HijackGrace time.Duration

	// MaxConnectionAge is the age, give or take a tenth, at which a connection retires,
	// so that clients move to servers that were started since. Its next response says
	// "Connection: close", or GOAWAY is sent on it, and [Draining] of its requests is
	// closed. No request is lost: an idle HTTP/1 connection is not closed, since the next
	// request may be on its way. It is told by the response to that request, or ended by
	// the http.Server's IdleTimeout. An HTTP/2 connection that a TLSNextProto of yours
	// serves is told only by its next response. Default: none, connections may stay open
	// indefinitely.
	MaxConnectionAge time.Duration

	// MaxConnectionAgeGrace is how long streams and hijacked connections may go on, while
	// the server serves, after their connection has retired. A request that begins later
	// has this time from its own beginning. Then its context is cancelled with the cause
	// [ErrConnectionAgeGrace], and half a second later the connection is cut; a hijacked one
	// is closed, our side first, the rest 100 ms later. The setting costs each request a
	// context of its own. Default: none, they may go on indefinitely.
	MaxConnectionAgeGrace time.Duration

	// MaxRequestsPerConnection is how many requests a connection carries before it
	// retires: the response to the last of them says so. Default: 0, no limit. A
	// negative value is an error.
	MaxRequestsPerConnection int

	// DrainTimeout bounds the drain, that is, Stop without ShutdownDelay,
	// whatever Stop's context allows. It must be longer than IdleGrace. Default: none.
	DrainTimeout time.Duration

	// StopReserve is the part of its context's time that Stop leaves to whatever stops
	// after it. Default: a tenth of the time left when Stop begins, at most 2 s. However
	// long it is, Stop keeps half of the time.
	StopReserve time.Duration

	// Logger receives the server's events. Default: none.
	Logger Logger
}

// Validate returns a single error that names every field that cannot be used, and
// settings that do not fit together. New calls it.
func (c Config) Validate() error {
	var errs []error
	switch c.Network {
	case "", "tcp", "tcp4", "tcp6", "unix", "unixpacket":
	default:
		errs = append(errs, fmt.Errorf("Network %q is not a stream network: want tcp, tcp4, tcp6, unix or unixpacket", c.Network))
	}
	if c.Listener != nil && c.Network != "" {
		errs = append(errs, fmt.Errorf("Network %q and Listener are both set: the listener has its network already", c.Network))
	}
	if c.Listener != nil && c.ListenConfig != nil {
		errs = append(errs, errors.New("ListenConfig and Listener are both set: a given listener already listens"))
	}
	if c.Listener == nil && c.ListenerOwned != nil {
		errs = append(errs, errors.New("ListenerOwned is set without Listener: the server owns the listener that Start opens"))
	}
	if c.Listener == nil && c.ListenerHandedOver != nil {
		errs = append(errs, errors.New("ListenerHandedOver is set without Listener: no successor has the listener that Start opens"))
	}
	if c.MaxRequestsPerConnection < 0 {
		errs = append(errs, fmt.Errorf("MaxRequestsPerConnection %d is negative: zero means no limit", c.MaxRequestsPerConnection))
	}
	if c.SocketMode != 0 {
		errs = append(errs, c.checkSocketMode())
	}
	if c.MaxConnections < 0 {
		errs = append(errs, fmt.Errorf("MaxConnections %d is negative: zero means no limit", c.MaxConnections))
	}
	idle := c.withDefaults().IdleGrace
	if c.RequestGrace > 0 && c.RequestGrace < idle {
		errs = append(errs, fmt.Errorf("RequestGrace %v is shorter than IdleGrace %v: a request that arrives within IdleGrace could be cancelled as soon as it begins", c.RequestGrace, idle))
	}
	if c.DrainTimeout > 0 {
		if c.DrainTimeout <= idle {
			errs = append(errs, fmt.Errorf("DrainTimeout %v must be longer than IdleGrace %v", c.DrainTimeout, idle))
		}
		if c.DrainSpread >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("DrainSpread %v must be shorter than DrainTimeout %v", c.DrainSpread, c.DrainTimeout))
		}
		if c.DrainSpread > 0 && c.ShutdownDelay >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("ShutdownDelay %v must be shorter than DrainTimeout %v: with DrainSpread, both begin with the stop", c.ShutdownDelay, c.DrainTimeout))
		}
		if c.RequestGrace > 0 && c.DrainSpread > 0 && c.DrainSpread < c.DrainTimeout && c.DrainSpread+c.RequestGrace >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("RequestGrace %v has no effect: it counts from the end of DrainSpread %v, and DrainTimeout %v ends the drain first", c.RequestGrace, c.DrainSpread, c.DrainTimeout))
		}
		if c.RequestGrace >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("RequestGrace %v has no effect: DrainTimeout %v ends the drain first", c.RequestGrace, c.DrainTimeout))
		}
		if c.HijackGrace >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("HijackGrace %v has no effect: DrainTimeout %v ends the drain first", c.HijackGrace, c.DrainTimeout))
		}
	}
	return errors.Join(errs...)
}

func (c Config) checkSocketMode() error {
	mode := fmt.Sprintf("SocketMode %#o", c.SocketMode)
	switch {
	case c.SocketMode&^fs.ModePerm != 0:
		return fmt.Errorf("%s has more than permission bits: want octal digits, such as 0o660", mode)
	case c.Listener != nil:
		return fmt.Errorf("%s and Listener are both set: the listener has its file already", mode)
	case c.Network != "unix" && c.Network != "unixpacket":
		return fmt.Errorf("%s needs Network unix or unixpacket, not %q", mode, c.withDefaults().Network)
	case !hasSocketMode:
		return fmt.Errorf("%s: socket files have no mode on %s", mode, runtime.GOOS)
	}
	return nil
}

// withDefaults returns c with every zero replaced by its default and every
// "none" by zero, so that the engine need not tell them apart.
func (c Config) withDefaults() Config {
	if c.Network == "" {
		c.Network = "tcp"
	}
	if c.IdleGrace == 0 {
		c.IdleGrace = DefaultIdleGrace
	}
	for _, d := range []*time.Duration{&c.ShutdownDelay, &c.IdleGrace, &c.RequestGrace, &c.HijackGrace, &c.DrainTimeout,
		&c.DrainSpread, &c.MaxConnectionAge, &c.MaxConnectionAgeGrace} {
		*d = min(max(*d, 0), maxDuration)
	}
	// StopReserve keeps its sign: its default depends on the time left.
	c.StopReserve = min(c.StopReserve, maxDuration)
	return c
}
