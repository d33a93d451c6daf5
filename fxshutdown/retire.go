package fxshutdown

import (
	"net/http"
	"time"
)

// ConnInfo describes an open connection.
type ConnInfo struct {
	// RemoteAddr is the client's address, escaped and cut like that of a [Request].
	RemoteAddr string

	// Proto is "HTTP/1.1" or "HTTP/2.0", as far as it is known: it is empty before
	// the first request, and HTTP/1.0 counts as HTTP/1.1.
	Proto string

	// State is the state of the connection, as ConnState hooks see it.
	State http.ConnState

	// Age is how long ago the connection was accepted.
	Age time.Duration

	// Requests counts the requests that have begun on the connection, InFlight those
	// that are running.
	Requests uint64
	InFlight int

	// Retired reports that the client is already being told to go.
	Retired bool
}

// Retire tells the clients of some connections to go while the server serves, for example
// to spread them anew. choose is called once for each open connection, without a lock; it
// must not call Retire. Retire returns how many connections it has retired that were not
// retired before.
//
// Such a connection is treated like one that is older than MaxConnectionAge: its next
// response says "Connection: close", or GOAWAY is sent on it, and [Draining] of its
// requests is closed. Nothing is cut, except what goes on for longer than
// MaxConnectionAgeGrace. An idle HTTP/1 connection stays open until its next request, or
// IdleTimeout.
//
// Before Start, and once a stop has begun, Retire does nothing and returns 0.
func (s *Server) Retire(choose func(ConnInfo) bool) (retired int) {
	k := s.keep()
	if k == nil {
		return 0
	}
	for _, c := range s.conns.snapshot(nil) {
		if info, open := c.info(); open && choose(info) && k.retire(c, chosen) {
			retired++
		}
	}
	return retired
}

// keep returns the keeper, which it starts when it is first needed. It returns nil if the
// server does not serve.
func (s *Server) keep() *keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateServing {
		return nil
	}
	if s.keeper == nil {
		s.keeper = newKeeper(s.conns, s.events, graces{
			idle:   s.cfg.IdleGrace,
			hijack: s.cfg.MaxConnectionAgeGrace,
			run:    s.cfg.MaxConnectionAgeGrace,
		})
		s.keeper.start()
	}
	return s.keeper
}

// endKeeper ends the keeper, if there is one: a stop takes over.
func (s *Server) endKeeper() {
	s.mu.Lock()
	k := s.keeper
	s.mu.Unlock()
	if k != nil {
		k.end()
	}
}

// info describes the connection, and reports whether it is open.
func (c *conn) info() (i ConnInfo, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stage := c.stage.Load()
	if c.cut || stage >= stageClosed {
		return i, false
	}
	i = ConnInfo{
		State:    stage.connState(),
		Age:      c.set.now() - c.born,
		Requests: c.requestsLocked(),
		InFlight: c.running.len(),
		Retired:  c.retired.Load(),
	}
	if c.h2 != nil {
		i.Proto = "HTTP/2.0"
	} else if i.Requests > 0 {
		i.Proto = "HTTP/1.1"
	}
	if stage > stageNew || isSocket(c.underTLS()) { // otherwise the address may have to be read first
		i.RemoteAddr = kept(addrString(c.Conn.RemoteAddr()))
	}
	return i, true
}
