package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
)

// A load is what draincheck sends.
type load struct {
	title  string
	tls    bool
	flags  []string // of draincheck; all other kinds of load are off
	spread bool     // the clients begin spread over a cycle: each stop finds some everywhere
	lasts  time.Duration
	age    time.Duration // MaxConnectionAge of the server
}

// sizes are what the command line says about all loads.
type sizes struct {
	clients, pool, busy int
	tls, together       bool
	lasts, age          time.Duration
}

func loadNames() []string { return []string{"new", "keepalive", "pool", "h2"} }

// streams is how many requests at a time an HTTP/2 connection has.
const streams = 8

func (s sizes) load(name string) (l load, ok bool) {
	l.tls, l.spread, l.lasts, l.age = s.tls, !s.together, s.lasts, s.age
	switch name {
	case "new":
		l.title = fmt.Sprintf("new connections, %d clients", s.clients)
		l.flags = []string{"-newconn", strconv.Itoa(s.clients)}
	case "keepalive":
		l.title = fmt.Sprintf("keep-alive, %d clients", s.clients)
		l.flags = []string{"-keepalive", strconv.Itoa(s.clients)}
	case "pool":
		l.title = fmt.Sprintf("pool of %d, %d in use", s.pool, s.busy)
		l.flags = []string{"-pool", strconv.Itoa(s.pool), "-pool-busy", strconv.Itoa(s.busy)}
	case "h2":
		conns := max(s.clients/streams, 1)
		l.title = fmt.Sprintf("HTTP/2, %d connections with %d requests", conns, streams)
		l.tls = true
		l.flags = []string{"-h2", strconv.Itoa(conns), "-h2-concurrency", strconv.Itoa(streams)}
	default:
		return load{}, false
	}
	if s.tls && name != "h2" {
		l.title += ", TLS"
	}
	if s.age > 0 {
		l.title += fmt.Sprintf(", age %v", s.age)
	}
	return l, true
}

// minLoad is how long the load lasts at least: what a pool does not use has been quiet for
// longer than any grace.
const minLoad = 500 * time.Millisecond

// args are the arguments of draincheck for one stop of the server at addr.
func (l load) args(addr string, rtt, within time.Duration) []string {
	args := []string{"-json", "-pause", "0", "-within", within.String()}
	args = append(args, draincheck.NoLoad...)
	args = append(args, draincheck.Spread(max(l.lasts, minLoad), rtt)...)
	if !l.spread {
		args = append(args, "-spread", "0")
	}
	if l.tls {
		// The server has made its certificate itself.
		args = append(args, "-insecure", "-url", "https://"+addr+"/")
	} else {
		args = append(args, "-url", "http://"+addr+"/")
	}
	return append(args, l.flags...) // the last of two flags counts
}
