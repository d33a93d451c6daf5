package main

// A difference is a test of net/http that fails with the engine, and is meant to.
type difference struct {
	reason string
	hangs  bool // it waits without end, so it is run alone, and for a while
}

const (
	keepAlives = "SetKeepAlivesEnabled of the given server reaches no connection, a limit that the package comment names"
	looksInto  = "the test looks for idle connections in the given server, whose only connection is the sentinel, which is active (control.go)"
	silent     = "a connection that has sent nothing is dropped after IdleGrace, where net/http waits for 5 s"
)

// known has these tests. What is not here, and fails, is a fault.
var known = map[string]difference{
	"TestServerKeepAlivesEnabled/h1":               {looksInto, true},
	"TestServerKeepAlivesEnabled/h2":               {looksInto, true},
	"TestServerSetKeepAlivesEnabledClosesConns/h1": {keepAlives, true},
	"TestServerKeepAlivesEnabledResultClose/h1":    {keepAlives, false},
	"TestServerShutdownStateNew/h1":                {silent, false},
	"TestServerShutdownStateNew/h2":                {silent, false},
	"TestServerShutdown/h1":                        {"the callbacks of RegisterOnShutdown run before the listener is closed: clients are told first, and clients in the queue are served", false},
	"TestHijackAfterCloseNotifier/h1":              {"Hijack returns a wrapper of the *net.TCPConn, which shows when it is closed", false},
}
