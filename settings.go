package fxhttp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// A layer is a source of settings. A higher one wins.
type layer int

const (
	layerConfig layer = iota + 1 // the Config of the graph
	layerModule                  // the options given to Module, the last wins
	layerGraph                   // the options built from the graph, in no order
)

// settings is the sum of the layers of one server's settings.
type settings struct {
	Config
	fromGraph fromGraph

	name            string
	defaultAddr     string
	handler         http.Handler
	defaultServeMux bool
	listener        net.Listener
	listenConfig    *net.ListenConfig
	listenerOwned   func() bool
	handedOver      func() bool
	tls             *tls.Config
	unreadySignals  []os.Signal
	forceSignals    []os.Signal
	protocols       *http.Protocols
	http2           *http.HTTP2Config
	errorLog        *log.Logger
	baseContext     func(net.Listener) context.Context
	connContext     func(context.Context, net.Conn) context.Context
	connState       func(net.Conn, http.ConnState)
	logger          fxshutdown.Logger

	warnings []string // to be logged when the server starts
	err      error    // why there are no settings; everything else is then zero

	late *lateHandler // in the http.Server, if no option gave a handler

	// origins says what set a setting last, so that contradictions can be told from
	// overrides. A setting that keeps its default has none.
	origins map[string]origin
	errs    []error
}

type origin struct {
	layer layer
	by    string
}

// newSettings adds up the layers and returns every problem in one error.
func newSettings(cfg Config, module, graph []Option) (*settings, error) {
	s := &settings{origins: make(map[string]origin)}
	s.apply(layerConfig, configOption("Config", cfg))
	for _, o := range module {
		s.apply(layerModule, o)
	}
	for _, o := range graph {
		s.apply(layerGraph, o)
	}
	s.settle()
	if err := s.problems(); err != nil {
		return nil, err
	}
	return s, nil
}

// problems returns everything that was found, as one error, or nil.
func (s *settings) problems() error {
	if err := errors.Join(s.errs...); err != nil {
		return fmt.Errorf("fxhttp: settings of %s: %w", describe(s.name), inOneLine{err})
	}
	return nil
}

// inOneLine is an error whose text is a single line, even for several problems.
type inOneLine struct{ error }

func (e inOneLine) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }
func (e inOneLine) Unwrap() error { return e.error }

func (s *settings) apply(l layer, opt Option) {
	if opt == nil {
		s.fail("an Option built from the graph is nil")
		return
	}
	o := opt.option()
	if o.err != nil {
		s.fail("%v: %w", o, o.err)
		return
	}
	if l == layerGraph {
		switch o.name {
		case "WithName":
			s.fail("%v is built from the graph: a server's name must be given to Module", o)
			return
		case "WithStopLast":
			s.fail("%v is built from the graph: it must be given to Module", o)
			return
		}
		for _, setting := range o.sets {
			if prev, ok := s.origins[setting]; ok && prev.layer == layerGraph {
				s.fail("%v and %v are both built from the graph and both set %s: such options have no order, so only one may set it", prev.by, o, setting)
				return
			}
		}
	}
	for _, setting := range o.sets {
		s.origins[setting] = origin{l, o.String()}
	}
	o.apply(s)
}

func (s *settings) fail(format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf(format, args...))
}

// settle resolves what depends on several settings, and validates the sum.
func (s *settings) settle() {
	if s.listener != nil {
		s.checkListenerAlone()
		// The listener overrides what a lower layer set.
		s.Addr, s.Network, s.SocketMode = "", "", ""
	}
	if !strings.HasPrefix(s.Network, "unix") && s.origins["SocketMode"].layer < s.origins["Network"].layer {
		s.SocketMode = "" // a higher layer chose a network whose sockets have no file
	}
	s.checkListener()
	if err := s.Validate(); err != nil {
		s.errs = append(s.errs, err)
	}
	s.checkAddrOfUnix()
	// WithTLS clears the names of the files, so any that are set came later.
	if s.TLSCertFile != "" && s.TLSKeyFile != "" {
		if cert, err := loadCertificate(s.TLSCertFile, s.TLSKeyFile); err != nil {
			s.errs = append(s.errs, err)
		} else {
			s.tls = &tls.Config{Certificates: []tls.Certificate{cert}}
		}
	}
	s.checkProtocols()
	if s.Addr == "" && s.listener == nil {
		s.Addr = cmp.Or(s.defaultAddr, DefaultAddr)
	}
	if s.ReadHeaderTimeout == 0 {
		s.ReadHeaderTimeout = DefaultReadHeaderTimeout
		if s.ReadTimeout > 0 {
			s.ReadHeaderTimeout = min(s.ReadHeaderTimeout, s.ReadTimeout)
		}
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = DefaultIdleTimeout
	}
}

// checkAddrOfUnix rejects a host and port that override the path of a unix socket, but not
// the network: ":8080" would become the name of a file.
func (s *settings) checkAddrOfUnix() {
	addr, network := s.origins["Addr"], s.origins["Network"]
	if !strings.HasPrefix(s.Network, "unix") || addr.layer <= network.layer || strings.ContainsAny(s.Addr, "/@") {
		return
	}
	if _, _, err := net.SplitHostPort(s.Addr); err == nil {
		s.fail("%s sets a host and port, but %s sets the network to %s, whose address is a path", addr.by, network.by, s.Network)
	}
}

// checkProtocols rejects protocols that no client could speak. A listener of the app's own
// may bring its own TLS.
func (s *settings) checkProtocols() {
	p := s.protocols
	if p != nil && !p.HTTP1() && !p.UnencryptedHTTP2() && s.tls == nil && s.listener == nil {
		s.fail("%s needs TLS: add WithTLS or WithTLSFiles, or call SetUnencryptedHTTP2(true) on the Protocols", s.origins["Protocols"].by)
	}
}

// loadCertificate is tls.LoadX509KeyPair with errors that name the files.
func loadCertificate(certFile, keyFile string) (tls.Certificate, error) {
	certPEM, certErr := os.ReadFile(certFile)
	keyPEM, keyErr := os.ReadFile(keyFile)
	if err := errors.Join(certErr, keyErr); err != nil {
		return tls.Certificate{}, fmt.Errorf("TLS files: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("TLS files %q and %q: %w", certFile, keyFile, err)
	}
	return cert, nil
}

// httpServer returns an http.Server that has everything but the handler of the graph: that
// handler may inject the server.
func (s *settings) httpServer() *http.Server {
	srv := &http.Server{
		Addr:              s.Addr,
		Handler:           s.handler,
		TLSConfig:         s.tls,
		ReadTimeout:       s.ReadTimeout,
		ReadHeaderTimeout: s.ReadHeaderTimeout,
		WriteTimeout:      s.WriteTimeout,
		IdleTimeout:       s.IdleTimeout,
		MaxHeaderBytes:    s.MaxHeaderBytes,
		ConnState:         s.connState,
		ErrorLog:          s.errorLog,
		BaseContext:       s.baseContext,
		ConnContext:       s.connContext,
		HTTP2:             s.http2,
		Protocols:         s.protocols,
	}
	if logger := s.fromGraph.Zap; logger != nil && srv.ErrorLog == nil {
		srv.ErrorLog, _ = zap.NewStdLogAt(withServer(logger, s.name), zap.WarnLevel) // fails only for unknown levels
	}
	if srv.Handler == nil {
		s.late = new(lateHandler)
		srv.Handler = s.late
	}
	return srv
}

// engineConfig returns the settings of the engine.
func (s *settings) engineConfig(logger fxshutdown.Logger) fxshutdown.Config {
	cfg := s.engine()
	cfg.Listener, cfg.ListenConfig = s.listener, s.listenConfig
	cfg.ListenerOwned, cfg.ListenerHandedOver = s.listenerOwned, s.handedOver
	cfg.TLS = s.tls != nil
	cfg.Logger = logger
	return cfg
}

// describe returns how errors refer to the server with this name.
func describe(name string) string {
	if name == "" {
		return "the server"
	}
	return fmt.Sprintf("server %q", name)
}

// settingOf returns the name of the setting that a field of Config belongs to. The two
// files of TLS are one setting, the one that WithTLS also sets.
func settingOf(f reflect.StructField) string {
	if strings.HasPrefix(f.Name, "TLS") {
		return "TLS"
	}
	return f.Name
}

// configOption sets the fields of c that are not zero.
func configOption(name string, c Config) option {
	o := option{name: name}
	text, err := c.MarshalJSON()
	o.args, o.err = string(text), err
	for f, v := range reflect.ValueOf(c).Fields() {
		if !v.IsZero() {
			o.sets = append(o.sets, settingOf(f))
		}
	}
	o.sets = slices.Compact(o.sets)
	o.apply = func(s *settings) {
		to := reflect.ValueOf(&s.Config).Elem()
		for f, v := range reflect.ValueOf(c).Fields() {
			if v.IsZero() {
				continue
			}
			to.FieldByIndex(f.Index).Set(v)
		}
	}
	return o
}
