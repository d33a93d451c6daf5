package fxshutdown

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
		return "the stop waits for a hijacked connection until it is closed: its handler can say goodbye and close it " +
			"when fxshutdown.Draining(r.Context()) closes; HijackGrace limits the wait, and fxshutdown.EndOnDrain ends a proxied one"
	case holdsH2C:
		return "h2c.NewHandler serves HTTP/2 on connections that it hijacks: " +
			"set the http.Server's Protocols to unencrypted HTTP/2 instead"
	}
	return "a handler that does not end on its own can wait for fxshutdown.Draining(r.Context()); " +
		"fxshutdown.EndOnDrain ends proxied streams and those of libraries"
}

// holding describes what keeps the connections: the requests whose handlers run, and
// those of hijacked connections.
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
