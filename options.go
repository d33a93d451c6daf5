package fxhttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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

// An Option is a setting of a server, given to [Module], or built from the
// graph by [AsOption]. Its String shows it as it was written, without anything
// that may be secret.
//
// Defaults give way to the [Config] of the graph, that to the options given to
// Module, where the last wins, and those to the options built from the graph,
// of which no two may set the same. Every value is checked, by Module or
// when the app is built, and all problems are reported in one error.
type Option interface {
	fmt.Stringer

	option() option
}

// option is the one implementation of Option.
type option struct {
	name  string          // of the function that made it
	args  string          // for String
	sets  []string        // the settings it sets, by their names
	err   error           // what is wrong with its value
	apply func(*settings) // not called if err is set
}

func (o option) option() option { return o }

func (o option) String() string { return fmt.Sprintf("fxhttp.%s(%s)", o.name, o.args) }

// WithName names the server, so that an app can run several. What such a server
// takes from the graph (http.Handler and [Config], not the loggers) and what it
// provides carries the tag `name:"…"`. Its options are built from the graph by
// [AsNamedOption].
//
// Servers start in the order in which their Modules are listed and stop in the
// opposite one, except for those of [WithStopLast]. A Module in a
// child fx.Module starts before those of its parent, and stops after them.
//
// A name consists of letters, digits, '.', '-' and '_'. Default: no name. An
// app that provides an *http.Server of its own already needs one.
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
			return fmt.Errorf("%q cannot be in a name: want letters, digits, '.', '-' and '_'", r)
		}
	}
	return nil
}

// WithStopLast makes the server start before the app's other fxhttp servers and stop
// after them, wherever its Module is listed: for readiness and statistics, which shall
// answer while the others drain. Its handler, and what that needs, is constructed before
// the hook of the first other server is appended, so it starts earlier still. It must be
// given to Module. Several such servers have no order among themselves.
//
// Let the handler come from the graph, or from [WithHandler]: an fx.Invoke that assigns
// one comes too late if it is listed after the Module of another server.
func WithStopLast() Option {
	return option{name: "WithStopLast", sets: []string{"StopLast"}, apply: func(*settings) {}}
}

// WithDefaultAddr sets the address that is used if neither [WithAddr] nor a [Config] sets
// one: for packages that list a Module of their own. Default: [DefaultAddr].
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
// [WithNetwork] says unix. Port 0 lets the system choose; fxshutdown.Server.Addr
// tells the result. An empty one, or none, means [DefaultAddr].
func WithAddr(addr string) Option {
	return stringOption("WithAddr", "Addr", addr, func(s *settings) *string { return &s.Addr })
}

// WithNetwork sets the network: tcp, tcp4, tcp6, unix or unixpacket. Default: tcp.
func WithNetwork(network string) Option {
	return stringOption("WithNetwork", "Network", network, func(s *settings) *string { return &s.Network })
}

// WithListener serves the connections of ln instead of listening. The server
// takes it over: the stop closes it. It excludes WithAddr and WithNetwork, and
// overrides what [Config] says about them. Say whose it is by [WithListenerOwned]: a
// server that knows loses no client of its accept queue. If a socket option is all
// that you need, [WithListenConfig] leaves the listening to the server.
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

// WithListenerOwned tells whose the listener of [WithListener] is. owned is asked
// when the stop begins, and must not block.
//
// True: this process alone serves the socket, and nobody will after it. The stop
// then treats it as one that the server opened by itself. On Linux that needs plain
// TCP: a net.ListenConfig with SetMultipathTCP(false). False: systemd, a parent or a
// successor keeps the socket open. Then clients are accepted and answered for as long
// as older connections remain, and the rest of the queue is left to them.
//
// Default: it is not known. See fxshutdown.Config.ListenerOwned.
func WithListenerOwned(owned func() bool) Option {
	return valueOption("WithListenerOwned", "ListenerOwned", owned, owned == nil,
		func(s *settings) { s.listenerOwned = owned })
}

// WithListenerHandedOver tells whether a successor accepts from the socket of
// [WithListener] already, as after an upgrade of tableflip that has succeeded: then
// the stop closes the listener at once, without ShutdownDelay, and leaves its queue to
// the successor, whatever WithListenerOwned says. handedOver is asked when the stop
// begins, and must not block. Default: nobody does. See
// fxshutdown.Config.ListenerHandedOver.
func WithListenerHandedOver(handedOver func() bool) Option {
	return valueOption("WithListenerHandedOver", "ListenerHandedOver", handedOver, handedOver == nil,
		func(s *settings) { s.handedOver = handedOver })
}

// WithListenConfig listens with lc, for a socket option (its Control) or keep-alive
// probes of your own. The listener is then the server's own, unlike that of
// [WithListener], which excludes it. Multipath TCP is switched off: it refuses to
// ignore new handshakes during a stop. Default: a zero net.ListenConfig.
func WithListenConfig(lc net.ListenConfig) Option {
	return valueOption("WithListenConfig", "ListenConfig", lc, false, func(s *settings) { s.listenConfig = &lc })
}

// WithTLS serves TLS with a copy of cfg, which must have a source of
// certificates: Certificates, GetCertificate or GetConfigForClient. It takes the
// place of WithTLSFiles and the other way round. Default: no TLS.
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

// WithTLSFiles serves TLS with a certificate chain and its key from PEM files,
// which are read once, when the app is built. For certificates that are
// replaced while the app runs, give [WithTLS] a GetCertificate. Default: no TLS.
func WithTLSFiles(certFile, keyFile string) Option {
	o := option{
		name:  "WithTLSFiles",
		args:  fmt.Sprintf("%q, %q", certFile, keyFile),
		sets:  []string{"TLS"},
		apply: func(s *settings) { s.TLSCertFile, s.TLSKeyFile = certFile, keyFile },
	}
	if certFile == "" && keyFile == "" {
		// Not "no TLS": that would be a dangerous thing to say by an empty variable.
		o.err = errors.New("no file is named")
	} else {
		o.err = Config{TLSCertFile: certFile, TLSKeyFile: keyFile}.checkTLSFiles()
	}
	return o
}

// WithHandler serves h. An http.Handler in the graph is then left alone, unless the
// option is built by [AsOption]: then it is constructed, and not used. See [Module]
// about handlers.
func WithHandler(h http.Handler) Option {
	return valueOption("WithHandler", "Handler", h, isNilHandler(h), func(s *settings) { s.handler = h })
}

// WithDefaultServeMux serves http.DefaultServeMux if there is no other handler,
// with whatever any package registered there (net/http/pprof does). Without it
// a server with no handler does not start, nor does it with it if the graph shows an
// http.Handler that cannot be had: give WithHandler(http.DefaultServeMux) then.
func WithDefaultServeMux() Option {
	return option{
		name:  "WithDefaultServeMux",
		sets:  []string{"DefaultServeMux"},
		apply: func(s *settings) { s.defaultServeMux = true },
	}
}

// WithConfig sets every setting that is not zero in cfg, as the options of the
// same names would, and leaves the others as they are.
func WithConfig(cfg Config) Option { return configOption("WithConfig", cfg) }

// WithIdleGrace sets how long a connection that waits for a request must be
// quiet before the stop drops it. Zero is [fxshutdown.DefaultIdleGrace],
// a negative value none.
func WithIdleGrace(d time.Duration) Option {
	return durationOption("WithIdleGrace", "IdleGrace", d, func(c *Config) *time.Duration { return &c.IdleGrace })
}

// WithShutdownDelay sets how long the server goes on as before once it was told
// to stop, or got a signal of [WithUnreadySignals], while its readiness fails already, so
// that load balancers look away. It is part of the app's stop timeout, and skipped, as the log then says, by a server
// that never had a connection, or if the stop timeout has no room for it. Default: none.
func WithShutdownDelay(d time.Duration) Option {
	return durationOption("WithShutdownDelay", "ShutdownDelay", d, func(c *Config) *time.Duration { return &c.ShutdownDelay })
}

// WithRequestGrace sets the time from the start of the drain after which the contexts
// of the requests still running are cancelled. Default: none, only the end of the budget
// cancels them.
func WithRequestGrace(d time.Duration) Option {
	return durationOption("WithRequestGrace", "RequestGrace", d, func(c *Config) *time.Duration { return &c.RequestGrace })
}

// WithHijackGrace sets the time from the start of the drain after which hijacked
// connections, such as WebSockets, are closed. Default: none, only the end of the
// budget closes them.
func WithHijackGrace(d time.Duration) Option {
	return durationOption("WithHijackGrace", "HijackGrace", d, func(c *Config) *time.Duration { return &c.HijackGrace })
}

// WithMaxConnectionAge sets after how long, a tenth more or less, a connection retires
// while the server serves, so that clients move to servers that were started since: its
// next response says "Connection: close", or GOAWAY is sent on it, and
// [fxshutdown.Draining] of its requests is closed. Nothing is lost by it, and nothing is
// cut, unless Config.MaxConnectionAgeGrace says when. Default: none.
func WithMaxConnectionAge(d time.Duration) Option {
	return durationOption("WithMaxConnectionAge", "MaxConnectionAge", d, func(c *Config) *time.Duration { return &c.MaxConnectionAge })
}

// WithDrainTimeout bounds the drain whatever the app's stop timeout allows.
// Default: none.
func WithDrainTimeout(d time.Duration) Option {
	return durationOption("WithDrainTimeout", "DrainTimeout", d, func(c *Config) *time.Duration { return &c.DrainTimeout })
}

// WithStopReserve sets what the drain leaves of the stop timeout to the OnStop
// hooks that come after it. Zero is a tenth of the time left when the stop
// begins, 2 s at most; a negative value is none, and those hooks may be skipped.
func WithStopReserve(d time.Duration) Option {
	return durationOption("WithStopReserve", "StopReserve", d, func(c *Config) *time.Duration { return &c.StopReserve })
}

// WithUnreadySignals makes readiness fail as soon as one of the signals arrives, and not
// when Fx gets to the server's OnStop, which may be seconds later, if other hooks stop
// before. ShutdownDelay counts from the signal, too. Nothing else changes: it is for
// the signals that Fx acts on as well, and Fx gets them all the same. With another signal,
// or in an app that no signal ends (neither Run, nor Wait or Done, is called), the server
// serves on and readiness stays failed: see fxshutdown.Server.SetUnready.
//
// The signals are taken from OnStart to the end of OnStop, so they do not kill the
// process meanwhile. An Interrupt or SIGTERM that comes before the whole app has started,
// when Fx does not listen yet, stops it once it has.
//
// Each of several servers needs the option. Without arguments the signals are
// os.Interrupt and syscall.SIGTERM. Default: no signals.
func WithUnreadySignals(signals ...os.Signal) Option {
	return signalsOption("WithUnreadySignals", "UnreadySignals", signals,
		func(s *settings) *[]os.Signal { return &s.unreadySignals })
}

// WithForceSignals ends the drain by force when one of the signals arrives after the one
// that began the stop: usually the second Ctrl-C, which Fx itself ignores.
//
// One that arrives within 500 ms of the first does not force: wrappers such as npm, make
// and shells pass on a Ctrl-C that the terminal has sent to the server already. The
// server listens from the beginning of its OnStop on. The 500 ms count from there,
// whatever began the stop, and a signal that came before, while other hooks stopped, is
// not seen. With [WithUnreadySignals] for the same signals the server has seen them all:
// the 500 ms count from the first, and a later one that came before OnStop forces as soon
// as that begins.
//
// Each of several servers needs the option. Without arguments the signals are
// os.Interrupt and syscall.SIGTERM. Default: no signals.
func WithForceSignals(signals ...os.Signal) Option {
	return signalsOption("WithForceSignals", "ForceSignals", signals,
		func(s *settings) *[]os.Signal { return &s.forceSignals })
}

// WithReadTimeout sets http.Server.ReadTimeout. Default: none.
func WithReadTimeout(d time.Duration) Option {
	return durationOption("WithReadTimeout", "ReadTimeout", d, func(c *Config) *time.Duration { return &c.ReadTimeout })
}

// WithReadHeaderTimeout sets http.Server.ReadHeaderTimeout. Zero is
// [DefaultReadHeaderTimeout], or the ReadTimeout if that is shorter; a negative
// value none.
func WithReadHeaderTimeout(d time.Duration) Option {
	return durationOption("WithReadHeaderTimeout", "ReadHeaderTimeout", d, func(c *Config) *time.Duration { return &c.ReadHeaderTimeout })
}

// WithWriteTimeout sets http.Server.WriteTimeout. Default: none.
func WithWriteTimeout(d time.Duration) Option {
	return durationOption("WithWriteTimeout", "WriteTimeout", d, func(c *Config) *time.Duration { return &c.WriteTimeout })
}

// WithIdleTimeout sets http.Server.IdleTimeout, for the time while the server
// runs; [WithIdleGrace] is for the stop. Zero is [DefaultIdleTimeout], a negative
// value none.
func WithIdleTimeout(d time.Duration) Option {
	return durationOption("WithIdleTimeout", "IdleTimeout", d, func(c *Config) *time.Duration { return &c.IdleTimeout })
}

// WithMaxHeaderBytes sets http.Server.MaxHeaderBytes. Zero is
// http.DefaultMaxHeaderBytes; a negative value is an error.
func WithMaxHeaderBytes(n int) Option {
	return intOption("WithMaxHeaderBytes", "MaxHeaderBytes", n, func(c *Config) *int { return &c.MaxHeaderBytes })
}

// WithMaxConnections bounds how many connections are open at a time, during a stop too:
// clients beyond them wait in the kernel's accept queue, for their turn. Zero is no
// limit; a negative value is an error. See fxshutdown.Config.MaxConnections.
func WithMaxConnections(n int) Option {
	return intOption("WithMaxConnections", "MaxConnections", n, func(c *Config) *int { return &c.MaxConnections })
}

// WithProtocols sets http.Server.Protocols to a copy of p, for instance to serve
// HTTP/2 without TLS. Default: HTTP/1, and HTTP/2 with TLS.
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

// WithLogger sends the server's events to l, as it is. Default: the
// fxshutdown.Logger of the graph, or else its *zap.Logger, or else slog.Default, to
// whose lines the name of the server is added.
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

// valueOption is for values of which String shows only the type.
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
