package fxshutdown_test

import (
	"net/http"
	"testing"
	"testing/synctest"
)

// A mode is a protocol that a scenario runs over.
type mode struct {
	name string
	tls  bool
	h2   bool
}

var (
	h1     = mode{name: "h1"}
	https1 = mode{name: "https1", tls: true}
	h2     = mode{name: "h2", tls: true, h2: true}
	h2c    = mode{name: "h2c", h2: true}
)

var (
	allModes = []mode{h1, https1, h2, h2c}
	h1Modes  = []mode{h1, https1}
	h2Modes  = []mode{h2, h2c}
	tlsModes = []mode{https1, h2}
)

// client returns the protocols of a client of mode m.
func (m mode) client() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!m.h2)
	p.SetHTTP2(m.h2 && m.tls)
	p.SetUnencryptedHTTP2(m.h2 && !m.tls)
	return p
}

// scheme returns "http" or "https".
func (m mode) scheme() string {
	if m.tls {
		return "https"
	}
	return "http"
}

// sockets runs a scenario over each of modes, in real time and side by side: most of it
// is waiting. It is for what a pipe cannot show.
func sockets(t *testing.T, modes []mode, scenario func(*testing.T, mode)) {
	t.Helper()
	watchFDs(t)
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			scenario(t, m)
		})
	}
}

// together is sockets for scenarios that wait even longer: each runs beside the others of
// its concern.
func together(t *testing.T, modes []mode, scenario func(*testing.T, mode)) {
	t.Parallel()
	sockets(t, modes, scenario)
}

// bubbles runs a scenario over each of modes, in a synctest bubble each and on
// connections in memory: its clock is exact.
func bubbles(t *testing.T, modes []mode, scenario func(*testing.T, mode)) {
	t.Helper()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { scenario(t, m) })
		})
	}
}
