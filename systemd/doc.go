// Package fxhttpsystemd runs the fxhttp servers of an Fx app under systemd: with
// listeners from socket activation, and with a service of Type=notify.
//
//	fx.New(
//		fxhttp.Module(),
//		fx.Provide(newHandler),
//		fxhttpsystemd.Module(fxhttpsystemd.WithSocket("http")), // the last line
//	).Run()
//
// The directory example has the whole program, and deploy/systemd of this repository
// unit files for it.
//
// # Sockets
//
// [WithSocket] gives a server the listening socket of a name, that of FileDescriptorName=
// in the .socket unit: TCP of either version, or unix. While the service restarts systemd
// keeps the socket open, and clients wait in its queue. So the stop closes a descriptor,
// and not the socket: the server accepts and answers for as long as older connections
// remain, and leaves the rest to the next process (fxhttp.WithListenerOwned with false).
//
// # Notifications
//
// If NOTIFY_SOCKET is set, which systemd does for Type=notify:
//
//   - READY=1 is sent when every fxhttp server of the app serves and all hooks before
//     have returned. If it cannot be sent the start fails.
//   - STOPPING=1 is sent when the app begins to stop, whoever wanted it to, and with it
//     EXTEND_TIMEOUT_USEC, which is what the app's stop timeout (fx.StopTimeout) leaves
//     and a second for the exit. So systemd does not kill a drain because TimeoutStopSec=
//     is shorter than fx.StopTimeout: one of the two is enough to set. A longer
//     TimeoutStopSec= stays as it is.
//   - WATCHDOG=1 is sent, with WatchdogSec= in the unit, four times in that time: after
//     READY=1, while every server serves and every [Health] is well, and, whatever these
//     say then, until the stop has ended.
//   - STATUS= says where the servers listen, and during a stop, each second, what it
//     waits for. systemctl status shows it.
//
// Without NOTIFY_SOCKET nothing is sent: the same program runs in a terminal. Where it
// is set and its socket cannot be reached, a RestrictAddressFamilies= without AF_UNIX is a
// likely reason.
//
// Only Linux has systemd. Elsewhere a process is never activated, and has nobody to
// notify.
package fxhttpsystemd
