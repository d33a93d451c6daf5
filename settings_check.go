package fxhttp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// checkOptions returns an error if something is wrong with the options given to Module
// whatever the Config of the graph says. It needs no graph, and so is not hidden behind
// dig's words. It says all that would be wrong without a Config.
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
		c.IdleGrace = -1 // every other setting fits to none
	}
	_, addrSet := s.origins["Addr"]
	_, networkSet := s.origins["Network"]
	switch {
	case s.listener != nil:
		c.Addr, c.Network, c.SocketMode = "", "", ""
	case !addrSet && strings.HasPrefix(c.Network, "unix"):
		c.Addr = "/" // a path that Config may have
	case !networkSet && !c.isAddrOfTCP():
		c.Addr = "" // the path of a socket, if Config says so
	}
	if !networkSet {
		s.errs = append(s.errs, c.checkSocketMode())
		c.SocketMode = "" // it fits the network that Config may have
	}
	c.TLSCertFile, c.TLSKeyFile = "", "" // one may be in Config
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

// checkListenerAlone finds a listener beside an address of the same layer, or of a
// higher one.
func (s *settings) checkListenerAlone() {
	ln, set := s.origins["Listener"]
	if !set {
		return
	}
	for _, setting := range []string{"Addr", "Network", "SocketMode"} {
		if other, ok := s.origins[setting]; ok && other.layer >= ln.layer {
			s.fail("%s and %s exclude each other: the listener has its address already", ln.by, other.by)
		}
	}
}

// overridden says which settings of the graph's Config have no effect, since an option
// of Module sets them to something else. That is as documented, and yet a test that
// replaces the Config, or who edits the file that it is read from, expects otherwise.
func (s *settings) overridden(cfg Config) (warnings []string) {
	final := reflect.ValueOf(s.Config)
	for f, v := range reflect.ValueOf(cfg).Fields() {
		by, set := s.origins[settingOf(f)]
		if v.IsZero() || !set || by.layer != layerModule || v.Equal(final.FieldByIndex(f.Index)) {
			continue
		}
		warnings = append(warnings, fmt.Sprintf("fxhttp: %s of the Config in the graph (%v) has no effect: %s overrides it; "+
			"an option built by fxhttp.ProvideOption would override that", f.Name, v, by.by))
	}
	return slices.Compact(warnings)
}

// checkListener finds what fits only a listener that is given, or one that is not.
func (s *settings) checkListener() {
	if s.listener != nil && s.listenConfig != nil {
		s.fail("%s and %s exclude each other: a given listener already listens",
			s.origins["Listener"].by, s.origins["ListenConfig"].by)
	}
	for _, setting := range []string{"ListenerOwned", "ListenerHandedOver"} {
		if o, ok := s.origins[setting]; ok && s.listener == nil {
			s.fail("%s needs WithListener: a listener that the server opens is its own", o.by)
		}
	}
}
