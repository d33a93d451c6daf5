package fxhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// An Option is a setting of a server, given to [Module] or built from the graph by
// [ProvideOption]. Its String shows it as it was written, without anything that may be
// secret.
//
// The [Config] of the graph overrides the defaults, the options given to Module override
// the Config, and options built from the graph override those. Of the options given to
// Module the last one wins; two options built from the graph must not set the same
// thing. Every value is checked, by Module or when the app is built, and a single error
// reports all problems.
type Option interface {
	fmt.Stringer

	option() option
}

// option is the one implementation of Option.
type option struct {
	name  string          // of the function that made it
	args  string          // for String
	sets  []string        // the names of the settings that it sets
	err   error           // what is wrong with its value
	apply func(*settings) // not called if err is not nil
}

func (o option) option() option { return o }

func (o option) String() string { return fmt.Sprintf("fxhttp.%s(%s)", o.name, o.args) }

// WithName names the server, so that an app can run several. What a named server takes
// from the graph (http.Handler and [Config], not the loggers) and what it provides has
// the tag `name:"…"`. [ProvideNamedOption] builds its options from the graph.
//
// Servers start in the order in which their Modules are listed and stop in reverse order,
// except for those of [WithStopLast]. A Module in a child fx.Module starts before those
// of its parent and stops after them.
//
// A name consists of letters, digits, '.', '-' and '_'. Default: no name. An app that
// already provides an *http.Server of its own needs one.
func WithName(name string) Option {
	return option{
		name: "WithName",
		args: fmt.Sprintf("%q", name),
		sets: []string{"Name"},
		err:  checkName(name),
		apply: func(s *settings) {
			s.name = name
		},
	}
}

func checkName(name string) error {
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._-", r):
		default:
			return fmt.Errorf("%q is not allowed in a name: want letters, digits, '.', '-' and '_'", r)
		}
	}
	return nil
}

// WithStopLast makes the server start before the app's other fxhttp servers and stop
// after them, wherever its Module is listed. It is for readiness and statistics, which
// should answer while the others drain. The handler and what it needs are constructed
// before the hook of the first other server is appended, so they start earlier still. The
// option must be given to Module. Several such servers have no order among themselves.
// Default: off.
//
// Let the handler come from the graph, or from [WithHandler]. An fx.Invoke that assigns
// it is too late if it is listed after the Module of another server.
func WithStopLast() Option {
	return option{name: "WithStopLast", sets: []string{"StopLast"}, apply: func(*settings) {}}
}

// WithDefaultAddr sets the address that is used if neither [WithAddr] nor a [Config] sets
// one. It is for packages that list a Module of their own. Default: [DefaultAddr].
func WithDefaultAddr(addr string) Option {
	o := option{
		name:  "WithDefaultAddr",
		args:  fmt.Sprintf("%q", addr),
		sets:  []string{"DefaultAddr"},
		apply: func(s *settings) { s.defaultAddr = addr },
	}
	if addr != "" {
		o.err = Config{Addr: addr}.Validate()
	}
	return o
}

// WithAddr sets the address to listen on: "host:port" or ":port", or a path if
// [WithNetwork] is unix. Port 0 lets the system choose; fxshutdown.Server.Addr
// returns the result. An empty address, or none, means [DefaultAddr].
func WithAddr(addr string) Option {
	return stringOption("WithAddr", "Addr", addr, func(s *settings) *string { return &s.Addr })
}

// WithNetwork sets the network: tcp, tcp4, tcp6, unix or unixpacket. Default: tcp.
func WithNetwork(network string) Option {
	return stringOption("WithNetwork", "Network", network, func(s *settings) *string { return &s.Network })
}

// WithSocketMode sets the mode of a unix socket's file, such as 0o660, whatever the umask.
// It consists of permissions only. Zero means what the umask leaves. It is an error on
// other networks, with an abstract address, and on Windows. See
// fxshutdown.Config.SocketMode.
func WithSocketMode(mode fs.FileMode) Option {
	text := "" // as in a Config
	if mode != 0 {
		text = fmt.Sprintf("%#o", uint32(mode))
	}
	return option{
		name:  "WithSocketMode",
		args:  fmt.Sprintf("%#o", uint32(mode)),
		sets:  []string{"SocketMode"},
		apply: func(s *settings) { s.SocketMode = text },
	}
}

// WithListener serves the connections of ln instead of listening. The server takes ln
// over: the stop closes it. WithListener excludes WithAddr and WithNetwork, and overrides
// what [Config] says about them. Use [WithListenerOwned] to say whose socket it is: a
// server that knows loses no client in its accept queue. If all you need is a socket
// option, [WithListenConfig] leaves the listening to the server. Default: none.
func WithListener(ln net.Listener) Option {
	o := option{name: "WithListener", sets: []string{"Listener"}}
	if isNil(ln) {
		o.args, o.err = "nil", errNil
		return o
	}
	o.args = fmt.Sprintf("%T", ln)
	if addr := ln.Addr(); addr != nil {
		o.args = fmt.Sprintf("%s %s", addr.Network(), addr)
	}
	o.apply = func(s *settings) { s.listener = ln }
	return o
}

// WithListenerOwned says whose socket the listener of [WithListener] is. owned is called
// when the stop begins, and must not block.
//
// True means that this process alone serves the socket, and that no process will after
// it. The stop then treats it like a listener that the server opened. On Linux, that
// requires plain TCP: a net.ListenConfig with SetMultipathTCP(false). False means that
// systemd, a parent or a successor keeps the socket open. The stop then accepts and
// answers clients while older connections remain, and leaves the rest of the queue to
// whoever serves the socket next.
//
// Default: not known. See fxshutdown.Config.ListenerOwned.
func WithListenerOwned(owned func() bool) Option {
	return valueOption("WithListenerOwned", "ListenerOwned", owned, owned == nil,
		func(s *settings) { s.listenerOwned = owned })
}

// WithListenerHandedOver says whether a successor already accepts from the socket of
// [WithListener], as after a successful upgrade by tableflip. If so, the stop closes the
// listener at once, without ShutdownDelay, and leaves its queue to the successor, whatever
// WithListenerOwned says. handedOver is called when the stop begins, and must not block.
// Default: there is no successor. See fxshutdown.Config.ListenerHandedOver.
func WithListenerHandedOver(handedOver func() bool) Option {
	return valueOption("WithListenerHandedOver", "ListenerHandedOver", handedOver, handedOver == nil,
		func(s *settings) { s.handedOver = handedOver })
}

// WithListenConfig listens with lc, for a socket option (its Control) or keep-alive
// probes of your own. The listener remains the server's own, unlike that of
// [WithListener], which excludes this option. Multipath TCP is switched off, because it
// refuses the filter that ignores new handshakes during a stop. Default: a zero
// net.ListenConfig.
func WithListenConfig(lc net.ListenConfig) Option {
	return valueOption("WithListenConfig", "ListenConfig", lc, false, func(s *settings) { s.listenConfig = &lc })
}

// WithTLS serves TLS with a copy of cfg, which must have a source of certificates:
// Certificates, GetCertificate or GetConfigForClient. It replaces an earlier
// WithTLSFiles, and vice versa. Default: no TLS.
func WithTLS(cfg *tls.Config) Option {
	o := option{name: "WithTLS", args: fmt.Sprintf("%T", cfg), sets: []string{"TLS"}}
	switch {
	case cfg == nil:
		o.args, o.err = "nil", errNil
	case len(cfg.Certificates) == 0 && cfg.GetCertificate == nil && cfg.GetConfigForClient == nil:
		o.err = errors.New("no certificate: set Certificates, GetCertificate or GetConfigForClient")
	default:
		cfg = cfg.Clone()
		o.apply = func(s *settings) {
			s.tls = cfg.Clone() // the option may be given to several servers
			s.TLSCertFile, s.TLSKeyFile = "", ""
		}
	}
	return o
}

// WithTLSFiles serves TLS with a certificate chain and its key from PEM files, which are
// read once, when the app is built. For certificates that are replaced while the app
// runs, give [WithTLS] a GetCertificate. It is an error if both names are empty.
// Default: no TLS.
func WithTLSFiles(certFile, keyFile string) Option {
	o := option{
		name:  "WithTLSFiles",
		args:  fmt.Sprintf("%q, %q", certFile, keyFile),
		sets:  []string{"TLS"},
		apply: func(s *settings) { s.TLSCertFile, s.TLSKeyFile = certFile, keyFile },
	}
	if certFile == "" && keyFile == "" {
		// Two empty names do not mean "no TLS": an unset variable must not switch TLS off.
		o.err = errors.New("both file names are empty")
	} else {
		o.err = Config{TLSCertFile: certFile, TLSKeyFile: keyFile}.checkTLSFiles()
	}
	return o
}

// WithHandler serves h. An http.Handler in the graph is then not even constructed, unless
// the option is built by [ProvideOption]: then it is constructed, but not used. See
// [Module] about handlers. Default: the http.Handler of the graph.
func WithHandler(h http.Handler) Option {
	return valueOption("WithHandler", "Handler", h, isNilHandler(h), func(s *settings) { s.handler = h })
}

// WithDefaultServeMux serves http.DefaultServeMux if there is no other handler, with
// whatever any package has registered there, as net/http/pprof does. Without this option,
// a server that has no handler does not start. Even with it, the server does not start if
// the graph shows an http.Handler that cannot be built; then use
// WithHandler(http.DefaultServeMux). Default: off.
func WithDefaultServeMux() Option {
	return option{
		name:  "WithDefaultServeMux",
		sets:  []string{"DefaultServeMux"},
		apply: func(s *settings) { s.defaultServeMux = true },
	}
}

// WithConfig sets every setting that is not zero in cfg, as the options of the
// same names would, and leaves the others unchanged.
func WithConfig(cfg Config) Option { return configOption("WithConfig", cfg) }

// WithIdleGrace sets how long the client of a connection that waits for a request must be
// quiet before the stop drops it. Zero means [fxshutdown.DefaultIdleGrace], a negative
// value none.
func WithIdleGrace(d time.Duration) Option {
	return durationOption("WithIdleGrace", "IdleGrace", d, func(c *Config) *time.Duration { return &c.IdleGrace })
}

// WithShutdownDelay sets how long the server goes on as before once it is told to stop,
// or receives a signal of [WithUnreadySignals], while its readiness already fails, so
// that load balancers send new clients elsewhere. The delay is part of the app's stop
// timeout. The server skips it, and logs why, if it never had a connection, or if the
// delay does not fit the stop timeout. Zero and negative values mean none.
func WithShutdownDelay(d time.Duration) Option {
	return durationOption("WithShutdownDelay", "ShutdownDelay", d, func(c *Config) *time.Duration { return &c.ShutdownDelay })
}

// WithRequestGrace sets the time from the start of the drain after which the contexts
// of the requests that are still running are cancelled. It must not be shorter than
// IdleGrace. Zero and negative values mean no such time: only the end of the budget
// cancels them.
func WithRequestGrace(d time.Duration) Option {
	return durationOption("WithRequestGrace", "RequestGrace", d, func(c *Config) *time.Duration { return &c.RequestGrace })
}

// WithHijackGrace sets the time from the start of the drain after which hijacked
// connections, such as WebSockets, are closed. The stop then waits for their handlers too.
// Zero and negative values mean no such time: only the end of the budget closes them.
func WithHijackGrace(d time.Duration) Option {
	return durationOption("WithHijackGrace", "HijackGrace", d, func(c *Config) *time.Duration { return &c.HijackGrace })
}

// WithMaxConnectionAge sets the age, give or take a tenth, at which a connection retires
// while the server serves, so that clients move to servers that were started since: its
// next response says "Connection: close", or GOAWAY is sent on it, and
// [fxshutdown.Draining] of its requests is closed. Nothing is lost, and nothing is cut,
// unless [WithMaxConnectionAgeGrace] says when. Default: none.
func WithMaxConnectionAge(d time.Duration) Option {
	return durationOption("WithMaxConnectionAge", "MaxConnectionAge", d, func(c *Config) *time.Duration { return &c.MaxConnectionAge })
}

// WithMaxConnectionAgeGrace sets how long requests and hijacked connections may continue
// after their connection has retired, while the server serves; then they are cancelled and
// cut. Default: none, they may continue indefinitely. See
// fxshutdown.Config.MaxConnectionAgeGrace.
func WithMaxConnectionAgeGrace(d time.Duration) Option {
	return durationOption("WithMaxConnectionAgeGrace", "MaxConnectionAgeGrace", d, func(c *Config) *time.Duration { return &c.MaxConnectionAgeGrace })
}

// WithMaxRequestsPerConnection sets how many requests a connection carries before it
// retires, as [WithMaxConnectionAge] describes. Zero means no limit; a negative value is an
// error.
func WithMaxRequestsPerConnection(n int) Option {
	return intOption("WithMaxRequestsPerConnection", "MaxRequestsPerConnection", n, func(c *Config) *int { return &c.MaxRequestsPerConnection })
}

// WithDrainSpread sets the time over which a stop tells its clients to go, one connection
// after another, so that they do not all reconnect at once. It begins with ShutdownDelay,
// and takes at most half of the time before the force phase. Zero and negative values mean
// none: all are told at once. See fxshutdown.Config.DrainSpread.
func WithDrainSpread(d time.Duration) Option {
	return durationOption("WithDrainSpread", "DrainSpread", d, func(c *Config) *time.Duration { return &c.DrainSpread })
}

// WithDrainTimeout bounds the drain whatever the app's stop timeout allows. Zero and
// negative values mean no such bound.
func WithDrainTimeout(d time.Duration) Option {
	return durationOption("WithDrainTimeout", "DrainTimeout", d, func(c *Config) *time.Duration { return &c.DrainTimeout })
}

// WithStopReserve sets the part of the stop timeout that the drain leaves to the OnStop
// hooks after it. Zero means a tenth of the time left when the stop begins, at most 2 s. A
// negative value means none; those hooks may then be skipped. The drain always keeps at
// least half of the time left.
func WithStopReserve(d time.Duration) Option {
	return durationOption("WithStopReserve", "StopReserve", d, func(c *Config) *time.Duration { return &c.StopReserve })
}

// WithUnreadySignals makes readiness fail as soon as one of the signals arrives, not when
// Fx gets to the server's OnStop, which may be seconds later if other hooks stop first.
// ShutdownDelay also counts from the signal. Nothing else changes: the option is for
// signals that Fx acts on, and Fx still receives them. With another signal, or in an app
// that no signal ends (because none of Run, Wait and Done is called), the server
// continues to serve and readiness keeps failing: see fxshutdown.Server.SetUnready.
//
// The server receives the signals from OnStart to the end of OnStop, so they do not kill
// the process meanwhile. An Interrupt or SIGTERM that arrives before the whole app has
// started, when Fx does not listen yet, stops the app as soon as it has started.
//
// Each of several servers needs the option. Without arguments the signals are
// os.Interrupt and syscall.SIGTERM. Default: no signals.
func WithUnreadySignals(signals ...os.Signal) Option {
	return signalsOption("WithUnreadySignals", "UnreadySignals", signals,
		func(s *settings) *[]os.Signal { return &s.unreadySignals })
}

// WithForceSignals ends the drain by force when one of the signals arrives after the one
// that began the stop: usually the second Ctrl-C, which Fx itself ignores. Handlers get no
// time then: their contexts are cancelled, and whatever runs is cut at once.
//
// A signal that arrives within 500 ms of the first does not force, and a warning says so:
// wrappers such as npm, make and shells pass on a Ctrl-C that the terminal has already
// sent to the server. The server listens from the beginning of its OnStop. The 500 ms
// count from there, whatever began the stop, and the server does not see a signal that
// came earlier, while other hooks stopped. With [WithUnreadySignals] for the same signals,
// the server has seen them all: the 500 ms count from the first, and a later one that
// came before OnStop forces the end as soon as OnStop begins.
//
// Each of several servers needs the option. Without arguments the signals are
// os.Interrupt and syscall.SIGTERM. Default: no signals.
func WithForceSignals(signals ...os.Signal) Option {
	return signalsOption("WithForceSignals", "ForceSignals", signals,
		func(s *settings) *[]os.Signal { return &s.forceSignals })
}

// WithReadTimeout sets http.Server.ReadTimeout. Zero and negative values mean none.
func WithReadTimeout(d time.Duration) Option {
	return durationOption("WithReadTimeout", "ReadTimeout", d, func(c *Config) *time.Duration { return &c.ReadTimeout })
}

// WithReadHeaderTimeout sets http.Server.ReadHeaderTimeout. Zero means
// [DefaultReadHeaderTimeout], or the ReadTimeout if that is shorter; a negative value
// means none.
func WithReadHeaderTimeout(d time.Duration) Option {
	return durationOption("WithReadHeaderTimeout", "ReadHeaderTimeout", d, func(c *Config) *time.Duration { return &c.ReadHeaderTimeout })
}

// WithWriteTimeout sets http.Server.WriteTimeout. Zero and negative values mean none.
func WithWriteTimeout(d time.Duration) Option {
	return durationOption("WithWriteTimeout", "WriteTimeout", d, func(c *Config) *time.Duration { return &c.WriteTimeout })
}

// WithIdleTimeout sets http.Server.IdleTimeout, which applies while the server serves;
// [WithIdleGrace] is for the stop. Zero means [DefaultIdleTimeout], a negative value
// none.
func WithIdleTimeout(d time.Duration) Option {
	return durationOption("WithIdleTimeout", "IdleTimeout", d, func(c *Config) *time.Duration { return &c.IdleTimeout })
}

// WithMaxHeaderBytes sets http.Server.MaxHeaderBytes. Zero means
// http.DefaultMaxHeaderBytes; a negative value is an error.
func WithMaxHeaderBytes(n int) Option {
	return intOption("WithMaxHeaderBytes", "MaxHeaderBytes", n, func(c *Config) *int { return &c.MaxHeaderBytes })
}

// WithMaxConnections bounds how many connections are open at a time, even during a stop.
// Further clients wait in the kernel's accept queue for their turn. Zero means no limit; a
// negative value is an error. See fxshutdown.Config.MaxConnections.
func WithMaxConnections(n int) Option {
	return intOption("WithMaxConnections", "MaxConnections", n, func(c *Config) *int { return &c.MaxConnections })
}

// WithProtocols sets http.Server.Protocols to a copy of p, for instance to serve
// HTTP/2 without TLS. Default: HTTP/1, and HTTP/2 over TLS.
func WithProtocols(p *http.Protocols) Option {
	o := option{name: "WithProtocols", sets: []string{"Protocols"}}
	switch {
	case p == nil:
		o.args, o.err = "nil", errNil
	case *p == (http.Protocols{}):
		o.err = errors.New("no protocol is set")
	default:
		protocols := *p
		o.args = strings.Trim(protocols.String(), "{}")
		o.apply = func(s *settings) {
			p := protocols
			s.protocols = &p
		}
	}
	return o
}

// WithHTTP2 sets http.Server.HTTP2 to a copy of cfg. Default: net/http's.
func WithHTTP2(cfg *http.HTTP2Config) Option {
	o := option{name: "WithHTTP2", args: fmt.Sprintf("%T", cfg), sets: []string{"HTTP2"}}
	if cfg == nil {
		o.args, o.err = "nil", errNil
		return o
	}
	http2 := *cfg
	o.apply = func(s *settings) {
		h := http2
		s.http2 = &h
	}
	return o
}

// WithErrorLog sets http.Server.ErrorLog. Default: the *zap.Logger of the graph
// at warn level, or else the log package's standard logger.
func WithErrorLog(l *log.Logger) Option {
	return valueOption("WithErrorLog", "ErrorLog", l, l == nil, func(s *settings) { s.errorLog = l })
}

// WithBaseContext sets http.Server.BaseContext. Default: context.Background.
func WithBaseContext(f func(net.Listener) context.Context) Option {
	return valueOption("WithBaseContext", "BaseContext", f, f == nil, func(s *settings) { s.baseContext = f })
}

// WithConnContext sets http.Server.ConnContext. Default: none.
func WithConnContext(f func(context.Context, net.Conn) context.Context) Option {
	return valueOption("WithConnContext", "ConnContext", f, f == nil, func(s *settings) { s.connContext = f })
}

// WithConnState sets http.Server.ConnState. Default: none.
func WithConnState(f func(net.Conn, http.ConnState)) Option {
	return valueOption("WithConnState", "ConnState", f, f == nil, func(s *settings) { s.connState = f })
}

// WithLogger sends the server's events to l, unchanged. They do not name the server, so
// give each server a Logger of its own. Default: the fxshutdown.Logger of the graph, or
// else its *zap.Logger, or else slog.Default. The lines of the last two, and of an
// fxshutdown.SlogLogger or ZapLogger in the graph, have the name of the server.
func WithLogger(l fxshutdown.Logger) Option {
	o := valueOption("WithLogger", "Logger", l, isNil(l), func(s *settings) { s.logger = l })
	if z, ok := l.(*ZapLogger); ok && z != nil && z.Logger == nil {
		o.err = errors.New("the Logger of the ZapLogger is nil")
	}
	return o
}

var errNil = errors.New("the argument is nil")

func stringOption(name, setting, v string, field func(*settings) *string) Option {
	return option{
		name:  name,
		args:  fmt.Sprintf("%q", v),
		sets:  []string{setting},
		apply: func(s *settings) { *field(s) = v },
	}
}

func intOption(name, setting string, n int, field func(*Config) *int) Option {
	return option{
		name:  name,
		args:  fmt.Sprint(n),
		sets:  []string{setting},
		apply: func(s *settings) { *field(&s.Config) = n },
	}
}

func durationOption(name, setting string, d time.Duration, field func(*Config) *time.Duration) Option {
	return option{
		name:  name,
		args:  d.String(),
		sets:  []string{setting},
		apply: func(s *settings) { *field(&s.Config) = d },
	}
}

func signalsOption(name, setting string, signals []os.Signal, field func(*settings) *[]os.Signal) Option {
	if len(signals) == 0 {
		signals = []os.Signal{os.Interrupt, syscall.SIGTERM}
	}
	signals = slices.Clone(signals)
	o := option{
		name:  name,
		args:  list(signals),
		sets:  []string{setting},
		apply: func(s *settings) { *field(s) = signals },
	}
	switch {
	case slices.Contains(signals, nil):
		o.err = errNil
	case slices.Contains(signals, os.Kill):
		o.err = fmt.Errorf("the signal %v cannot be caught", os.Kill)
	}
	return o
}

// valueOption makes an option for a value of which String shows only the type.
func valueOption(name, setting string, v any, isNil bool, apply func(*settings)) option {
	o := option{name: name, args: fmt.Sprintf("%T", v), sets: []string{setting}, apply: apply}
	if isNil {
		o.args, o.err = "nil", errNil
	}
	return o
}

func list[T any](values []T) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}
