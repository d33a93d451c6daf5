package fxshutdown

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"time"
)

// DefaultIdleGrace is the default of Config.IdleGrace. A busy client's next
// request fits in, and it is little beside an orchestrator's stop timeout.
const DefaultIdleGrace = 250 * time.Millisecond

// Config says where a [Server] listens and how it stops. The zero value is
// ready to use: it listens on the http.Server's Addr and stops with the
// defaults below.
//
// For every duration zero means the default and a negative value means none.
type Config struct {
	// Listener is served instead of one that Start opens. Start takes it over:
	// the stop closes it. Its connections need not be TCP. If it returns
	// *tls.Conn already (tls.NewListener), leave TLS off. Its SetDeadline, if
	// it has one, tells when the accept queue is empty; without one the queue
	// counts as empty when an Accept has waited for 5 ms, whatever it waited for.
	// Others may share it, so new handshakes are not filtered, unless
	// ListenerOwned says that nobody does. Under clients that connect all the time
	// it is closed in the first gap of 0.2 ms, and after 250 ms at the latest. If a
	// socket option is all that you need, use ListenConfig.
	Listener net.Listener

	// ListenerOwned says, when a stop begins, whose the Listener is. It must not
	// block. Default: nil, it is not known.
	//
	// True: this process alone serves the socket, and nobody will after it. Then the
	// stop treats it as one that Start has opened: on Linux new handshakes are
	// ignored, those under way are waited for, and at last, just before it is
	// closed, the socket is made to hear again. That needs plain TCP. Go's default
	// is Multipath TCP, which refuses: net.ListenConfig.SetMultipathTCP(false)
	// switches it off. Otherwise a warning says so, and the listener is closed in a
	// gap, as if nothing was known.
	//
	// False: somebody else keeps the socket open: systemd, a parent process, a
	// successor. Closing it here resets nobody. Clients are accepted, answered and
	// told to go for as long as connections that were open when the drain began, or
	// their handlers, remain. What is in the queue then is left to whoever comes.
	ListenerOwned func() bool

	// ListenerHandedOver says, when a stop begins, whether a successor accepts from
	// the Listener's socket already: an upgrade of tableflip that has succeeded.
	// Then the stop closes the listener at once and takes nothing from its queue,
	// whatever ListenerOwned says. It has no ShutdownDelay: a load balancer that looked
	// away would look away from the successor. It must not block. Default: nil, nobody
	// does.
	ListenerHandedOver func() bool

	// ListenConfig is what Start listens with, for those who need a socket option
	// (SO_REUSEPORT by its Control) or other keep-alive probes. Start copies it, and
	// switches Multipath TCP off, which refuses to ignore new handshakes: Go does not
	// tell its default from a wish. Default: a zero net.ListenConfig.
	ListenConfig *net.ListenConfig

	// Network is that of net.Listen: "tcp", "tcp4", "tcp6", "unix" or
	// "unixpacket". The default is "tcp". The address is http.Server.Addr;
	// an empty one means ":http", or ":https" with TLS. The file that a crashed
	// process left of a unix socket is replaced; do not start two at once on one
	// such file.
	Network string

	// SocketMode is the mode of a unix socket's file, such as 0o660: who may write to the
	// file may connect. Only the permissions count, and nothing is taken off them by the
	// umask. The mode is in force before anybody can connect. Default: zero, what the
	// umask leaves of 0o777.
	//
	// It is an error with another Network, or with a Listener, on Windows, which has no
	// such modes, and, from Start, with an abstract address, which has no file. The
	// ListenConfig's Control is called; its other fields are TCP's. Access to the
	// directory is up to you.
	SocketMode fs.FileMode

	// TLS serves TLS with the http.Server's TLSConfig, as
	// http.Server.ServeTLS does.
	TLS bool

	// MaxConnections bounds how many connections are open at a time; a client beyond
	// them waits in the kernel's accept queue, unanswered, until one is gone. Default:
	// zero, no limit. A negative value is an error.
	//
	// An HTTP/2 connection counts as one, whatever its streams. Hijacked connections
	// count until they are closed, and idle ones too: http.Server.IdleTimeout frees
	// those. One that is closed counts until its last handler has returned. The event
	// [LimitReached] and [Stats] tell when clients wait.
	//
	// The limit holds during a stop too: who waits then is answered in turn, while
	// idle connections are dropped. Those whose turn does not come in the stop's time are
	// reset, and counted in Report.Unaccepted, where the system tells; such a stop is not
	// graceful. The package comment has the limits of that.
	MaxConnections int

	// ShutdownDelay is how long the server goes on as before after Stop was
	// called, while [Server.Ready] already fails, so that load balancers look
	// away. Default: none. It counts from [Server.SetUnready], if that came first.
	// It is skipped by a server that never accepted a connection, by one whose
	// listener is handed over, and when the budget has no room for what is left of it.
	ShutdownDelay time.Duration

	// DrainSpread is the time over which Stop tells the clients to go: one connection
	// after another, evenly, idle ones, streams and hijacked ones alike, so that they do
	// not come back to the other instances all in one second. It begins with the stop,
	// beside ShutdownDelay, during which clients are accepted still: these are told by
	// their first response, and may come back to this server. Default: none, all are told
	// at once, after ShutdownDelay.
	//
	// A handler hears of its connection's turn by [Draining] with its request's context.
	// [Server.Draining] is closed, and what is registered by RegisterOnShutdown runs, when
	// the spread begins: a hub that closes all of its WebSockets there defeats it.
	// RequestGrace counts from its end, HijackGrace from the turn of each connection,
	// DrainTimeout from its beginning. Half of the time that Stop has before the force
	// is the most that it takes, and a warning says if it is shortened. A stop that Close
	// or the http.Server's Shutdown begins has none.
	DrainSpread time.Duration

	// IdleGrace is how long a connection that waits for a request must be
	// quiet before the stop drops it. Default: [DefaultIdleGrace]. One that has
	// sent a part of a header, or of a TLS handshake, is given 300 ms more.
	IdleGrace time.Duration

	// RequestGrace is the time from the start of the drain after which the contexts of
	// the requests still running are cancelled, those of hijacked connections' handlers too.
	// Default: none, then only the end of the budget does. It must not be shorter
	// than IdleGrace.
	RequestGrace time.Duration

	// HijackGrace is the time from the start of the drain after which hijacked
	// connections are closed: our side first, the rest 100 ms later. Default: none,
	// then only the end of the budget does. One that was hijacked under [EndOnDrain] has
	// 500 ms at most.
	HijackGrace time.Duration

	// MaxConnectionAge is after how long a connection retires, a tenth more or less, so
	// that clients move to servers that were started since. Its next response says
	// "Connection: close", or GOAWAY is sent on it, and [Draining] of its requests is
	// closed. No request is lost by it: an HTTP/1 connection that is idle is not closed,
	// for the next request may be on its way, but told by the response to that, or
	// ended by the http.Server's IdleTimeout. HTTP/2 that a TLSNextProto of yours serves is
	// told by its next response alone. Default: none, connections live on.
	MaxConnectionAge time.Duration

	// MaxConnectionAgeGrace is how long what runs on a connection that has retired may
	// go on while the server serves: streams, hijacked connections. One that begins later
	// has it from its own beginning. Then its context is cancelled with the cause
	// [ErrConnectionAge], and half a second later the connection is cut; a hijacked one is
	// closed, our side first, the rest 100 ms later. It costs each request a context of its
	// own. Default: none, they may go on for ever.
	MaxConnectionAgeGrace time.Duration

	// MaxConnectionRequests is how many requests a connection carries before it
	// retires: the last of them says so. Default: 0, as many as come.
	MaxConnectionRequests int

	// DrainTimeout bounds the drain, that is Stop without ShutdownDelay,
	// whatever Stop's context allows. Default: none.
	DrainTimeout time.Duration

	// StopReserve is what Stop leaves of its context's time to those who come
	// after it. Default: a tenth of the time left when Stop begins, 2 s at most.
	// However much it asks for, half of the time stays with the drain.
	StopReserve time.Duration

	// Logger receives the server's events. Default: none.
	Logger Logger
}

// Validate reports every field that cannot be used, and settings that cannot
// fit together, in one error that names them. New calls it.
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
		errs = append(errs, errors.New("ListenConfig and Listener are both set: there is nothing to listen for"))
	}
	if c.Listener == nil && c.ListenerOwned != nil {
		errs = append(errs, errors.New("ListenerOwned is set without Listener: one that Start opens is owned"))
	}
	if c.Listener == nil && c.ListenerHandedOver != nil {
		errs = append(errs, errors.New("ListenerHandedOver is set without Listener: nobody else has one that Start opens"))
	}
	if c.MaxConnectionRequests < 0 {
		errs = append(errs, fmt.Errorf("MaxConnectionRequests %d is negative", c.MaxConnectionRequests))
	}
	if c.SocketMode != 0 {
		errs = append(errs, c.checkSocketMode())
	}
	if c.MaxConnections < 0 {
		errs = append(errs, fmt.Errorf("MaxConnections %d is negative: zero is no limit", c.MaxConnections))
	}
	idle := c.withDefaults().IdleGrace
	if c.RequestGrace > 0 && c.RequestGrace < idle {
		errs = append(errs, fmt.Errorf("RequestGrace %v is shorter than IdleGrace %v: a request that arrives in time would be cancelled at birth", c.RequestGrace, idle))
	}
	if c.DrainTimeout > 0 {
		if c.DrainTimeout <= idle {
			errs = append(errs, fmt.Errorf("DrainTimeout %v leaves no room for IdleGrace %v", c.DrainTimeout, idle))
		}
		if c.DrainSpread >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("DrainSpread %v does not fit DrainTimeout %v", c.DrainSpread, c.DrainTimeout))
		}
		if c.DrainSpread > 0 && c.ShutdownDelay >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("ShutdownDelay %v does not fit DrainTimeout %v, which counts from its beginning with DrainSpread", c.ShutdownDelay, c.DrainTimeout))
		}
		if c.RequestGrace > 0 && c.DrainSpread > 0 && c.DrainSpread < c.DrainTimeout && c.DrainSpread+c.RequestGrace >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("RequestGrace %v, which counts from the end of DrainSpread %v, never comes: DrainTimeout is %v", c.RequestGrace, c.DrainSpread, c.DrainTimeout))
		}
		if c.RequestGrace >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("RequestGrace %v never comes: DrainTimeout is %v", c.RequestGrace, c.DrainTimeout))
		}
		if c.HijackGrace >= c.DrainTimeout {
			errs = append(errs, fmt.Errorf("HijackGrace %v never comes: DrainTimeout is %v", c.HijackGrace, c.DrainTimeout))
		}
	}
	return errors.Join(errs...)
}

func (c Config) checkSocketMode() error {
	mode := fmt.Sprintf("SocketMode %#o", c.SocketMode)
	switch {
	case c.SocketMode&^fs.ModePerm != 0:
		return fmt.Errorf("%s is more than permissions: want octal digits, such as 0o660", mode)
	case c.Listener != nil:
		return fmt.Errorf("%s and Listener are both set: the listener has its file already", mode)
	case c.Network != "unix" && c.Network != "unixpacket":
		return fmt.Errorf("%s needs Network unix or unixpacket, not %q", mode, c.withDefaults().Network)
	case !hasSocketMode:
		return fmt.Errorf("%s: files of sockets have no mode on %s", mode, runtime.GOOS)
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
