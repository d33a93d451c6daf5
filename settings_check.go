package fxhttp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// checkOptions returns an error if the options given to Module are wrong whatever the
// Config of the graph says. It needs no graph, so dig puts no words in front of its
// error. The error then names everything that would be wrong without a Config.
func checkOptions(opts []Option) error {
	err := checkOptionsAlone(opts)
	if err == nil {
		return nil
	}
	if _, all := newSettings(Config{}, opts, nil); all != nil {
		return all
	}
	return err
}

func checkOptionsAlone(opts []Option) error {
	s := &settings{origins: make(map[string]origin)}
	for _, o := range opts {
		s.apply(layerModule, o)
	}
	s.checkListenerAlone()
	c := s.Config
	if _, set := s.origins["IdleGrace"]; !set {
		c.IdleGrace = -1 // without a grace, no other setting contradicts it
	}
	_, addrSet := s.origins["Addr"]
	_, networkSet := s.origins["Network"]
	switch {
	case s.listener != nil:
		c.Addr, c.Network, c.SocketMode = "", "", ""
	case !addrSet && strings.HasPrefix(c.Network, "unix"):
		c.Addr = "/" // Config may have a path
	case !networkSet && !c.isAddrOfTCP():
		c.Addr = "" // the path of a socket, if Config sets such a network
	}
	if !networkSet {
		s.errs = append(s.errs, c.checkSocketMode())
		c.SocketMode = "" // Config may have a network that it fits
	}
	c.TLSCertFile, c.TLSKeyFile = "", "" // Config may have the other one
	s.errs = append(s.errs, c.Validate())
	return s.problems()
}

// isAddrOfTCP reports whether Addr, on an unknown network, is not the path of a socket.
func (c Config) isAddrOfTCP() bool {
	if strings.ContainsAny(c.Addr, "/@") {
		return false
	}
	return strings.Contains(c.Addr, ":") || strings.Trim(c.Addr, "0123456789") == ""
}

// checkListenerAlone rejects a listener together with an address of the same layer or of a
// higher one.
func (s *settings) checkListenerAlone() {
	ln, set := s.origins["Listener"]
	if !set {
		return
	}
	for _, setting := range []string{"Addr", "Network", "SocketMode"} {
		if other, ok := s.origins[setting]; ok && other.layer >= ln.layer {
			s.fail("%s and %s exclude each other: the listener already has an address", ln.by, other.by)
		}
	}
}

// overridden returns a warning for each setting of the graph's Config that has no effect
// because an option of Module sets it to something else. That is as documented, but not
// what people expect who replace the Config in a test, or edit the file it is read from.
func (s *settings) overridden(cfg Config) (warnings []string) {
	final := reflect.ValueOf(s.Config)
	for f, v := range reflect.ValueOf(cfg).Fields() {
		by, set := s.origins[settingOf(f)]
		if v.IsZero() || !set || by.layer != layerModule || v.Equal(final.FieldByIndex(f.Index)) {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("fxhttp: %s of the Config in the graph (%v) has no effect: %s overrides it; "+
			"an option from fxhttp.ProvideOption would override both", f.Name, v, by.by))
	}
	return slices.Compact(warnings)
}

// checkListener rejects settings for a listener of the app's own if the server opens its
// listener, and the other way round.
func (s *settings) checkListener() {
	if s.listener != nil && s.listenConfig != nil {
		s.fail("%s and %s exclude each other: a given listener already listens",
			s.origins["Listener"].by, s.origins["ListenConfig"].by)
	}
	for _, setting := range []string{"ListenerOwned", "ListenerHandedOver"} {
		if o, ok := s.origins[setting]; ok && s.listener == nil {
			s.fail("%s needs WithListener: a listener that the server opens itself is always its own", o.by)
		}
	}
}
