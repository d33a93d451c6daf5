// Package fxhttptableflip upgrades an Fx app with fxhttp servers in place, by
// github.com/cloudflare/tableflip. A signal starts the program again, from the file as it
// is now, with the listening sockets of the old process. When the new process serves, the
// old one drains and ends.
//
//	fx.New(
//		fxhttp.Module(),
//		fx.Provide(newHandler),
//		fxhttptableflip.Module(fxhttptableflip.WithListen("tcp", ":8080")), // the last line
//	).Run()
//
// The directory example has the whole program, and deploy/tableflip in this repository
// says how to run it under a supervisor.
//
// # An upgrade
//
// SIGHUP, or [Upgrader.Upgrade], starts the successor. The successor is ready when all hooks
// of its app up to this one have returned, so every fxhttp server serves. Then it writes
// its process id to the PID file and tells the old process, which stops by fx.Shutdowner.
// The servers of the old process close their listeners at once, without ShutdownDelay,
// since the successor accepts from the same sockets, and drain. If a successor fails, or is
// not ready in time, the old process logs this and serves on. An upgrade that is asked for
// while a predecessor still drains waits for the predecessor's end: there are never more
// than two processes.
//
// # The last stop
//
// tableflip keeps a descriptor of its own of every socket, to pass it on. So when a server
// closes its listener, the socket stays open: the kernel goes on accepting clients into a
// queue from which no process takes them, and resets them when the process ends. Therefore
// the Upgrader stops before the servers, and closes its descriptors. Then the sockets are
// the servers' own (fxhttp.WithListenerOwned), and the stop treats them so. The file of a
// Unix socket is removed at that moment too: from then on clients are refused, also during
// a ShutdownDelay.
//
// Windows has no such upgrades: there the servers listen at the same addresses by
// themselves, and [Upgrader.Upgrade] fails.
package fxhttptableflip
