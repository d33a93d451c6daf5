// Package fxhttptableflip upgrades an Fx app with fxhttp servers in place, by
// github.com/cloudflare/tableflip: a signal starts the program anew, from the file that is
// there now, with the listening sockets of the old process. When the new one serves, the
// old one drains and ends.
//
//	fx.New(
//		fxhttp.Module(),
//		fx.Provide(newHandler),
//		fxhttptableflip.Module(fxhttptableflip.WithListen("tcp", ":8080")), // the last line
//	).Run()
//
// The directory example has the whole program, and deploy/tableflip of this repository
// how to run it under a supervisor.
//
// # An upgrade
//
// SIGHUP, or [Upgrader.Upgrade], starts the successor. It is ready when all hooks of its
// app up to this one have returned, so every fxhttp server serves. Then the PID file has
// its number, and the old process is told, and stops by fx.Shutdowner: its servers
// close their listeners at once and without ShutdownDelay, since the successor accepts
// from the same sockets, and drain. A successor that fails, or is not ready in time, is
// logged, and the old process serves on. An upgrade that is asked for while a predecessor
// still drains waits for its end: there are never more than two processes.
//
// # The last stop
//
// tableflip keeps descriptors of its own of every socket, to pass them on. The server
// that closes its listener therefore does not close the socket: the kernel goes on to
// accept clients into a queue from which nobody takes them, and resets them when the
// process ends. So the Upgrader is stopped, which closes its descriptors, before the
// servers are: then their sockets are their own (fxhttp.WithListenerOwned), and the stop
// treats them so. The file of a unix socket goes at that moment too: clients are refused
// from then on, during a ShutdownDelay as well.
//
// Windows has no such upgrades: there the servers listen at the same addresses by
// themselves, and [Upgrader.Upgrade] fails.
package fxhttptableflip
