package fxshutdown

import (
	"cmp"
	"slices"
)

// holdKind is what keeps a stop waiting.
type holdKind uint8

const (
	holdsRequest holdKind = 1 << iota
	holdsHijacked
	holdsH2C
)

// hint returns what can be done about it.
func (k holdKind) hint() string {
	switch k {
	case holdsHijacked:
		return "a hijacked connection holds the stop until it is closed: its handler should say goodbye and close it " +
			"when fxshutdown.Draining(r.Context()) is closed; HijackGrace limits the wait, and fxshutdown.EndOnDrain ends proxied connections"
	case holdsH2C:
		return "h2c.NewHandler serves HTTP/2 on connections that it hijacks: " +
			"enable unencrypted HTTP/2 in the http.Server's Protocols instead"
	}
	return "a handler that does not end on its own should return when fxshutdown.Draining(r.Context()) is closed; " +
		"fxshutdown.EndOnDrain ends streams of proxies and libraries"
}

// holding describes what keeps connections open: the requests whose handlers run, and
// those that hijacked their connections.
func (cs *connSet) holding(add func(Request, holdKind)) {
	for _, c := range cs.snapshot(nil) {
		c.mu.Lock()
		for x := c.running; x != nil; x = x.next {
			if !x.hijacked {
				r := c.describeLocked(x)
				r.Running = true
				add(r, holdsRequest)
			}
		}
		if t := c.takeover; t != nil {
			r := c.describeTakeoverLocked()
			kind := holdsHijacked
			if t.method == "PRI" && t.path == "*" { // the preface of HTTP/2: RFC 9113, section 3.4
				kind = holdsH2C
			}
			add(r, kind)
		}
		c.mu.Unlock()
	}
}

func oldestFirst(rs []Request) {
	slices.SortStableFunc(rs, func(a, b Request) int { return cmp.Compare(b.Age, a.Age) })
}
