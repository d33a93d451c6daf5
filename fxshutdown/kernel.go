package fxshutdown

// kernel is what the kernel says about a listening TCP socket, and does for it. Only
// Linux has one.
type kernel interface {
	// ignoreSYNs makes the kernel ignore new handshakes. hearSYNs ends that.
	ignoreSYNs() error
	hearSYNs()

	// queued returns how many connections wait to be accepted. It costs a
	// microsecond.
	queued() (n int, ok bool)

	// handshakes returns how many are under way: the client's SYN was answered, and
	// the connection is not in the queue yet. It may take milliseconds.
	handshakes() (int, error)
}
