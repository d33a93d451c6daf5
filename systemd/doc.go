// Package fxhttpsystemd runs the fxhttp servers of an Fx app under systemd: with
// listeners from socket activation, and with a service of Type=notify.
//
//	fx.New(
//		fxhttp.Module(),
//		fx.Provide(newHandler),
//		fxhttpsystemd.Module(fxhttpsystemd.WithSocket("http")), // the last line
//	).Run()
//
// The directory example has the whole program, and deploy/systemd in this repository has
// unit files for it.
//
// # Sockets
//
// [WithSocket] gives a server a listening socket by its name, which is that of
// FileDescriptorName= in the .socket unit. The socket is TCP over IPv4 or IPv6, or a Unix
// socket. While the service restarts, systemd keeps the socket open, and clients wait in
// its queue. So the stop closes a descriptor, not the socket: the server accepts and
// answers for as long as older connections remain, and leaves the rest to the next process
// (fxhttp.WithListenerOwned with false).
//
// # Notifications
//
// If NOTIFY_SOCKET is set, which systemd does for Type=notify, these are sent:
//
//   - READY=1, when every fxhttp server of the app serves and all earlier hooks have
//     returned. If it cannot be sent, the start fails.
//   - STOPPING=1, when the app begins to stop for any reason. With it goes
//     EXTEND_TIMEOUT_USEC: the time that the app's stop timeout (fx.StopTimeout) leaves,
//     and a second for the exit. So systemd does not kill a drain because TimeoutStopSec=
//     is shorter than fx.StopTimeout: it is enough to set one of them. A longer
//     TimeoutStopSec= stays as it is.
//   - WATCHDOG=1, if the unit has WatchdogSec=, four times in that time. After READY=1 it
//     is sent while every server serves and every [Health] is well. During the stop it is
//     sent until the end, whatever the servers and Healths say.
//   - STATUS=, which says where the servers listen, and during a stop, each second, what
//     the stop is waiting for. systemctl status shows it.
//
// Without NOTIFY_SOCKET nothing is sent, so the same program runs in a terminal. If it is
// set and its socket cannot be reached, a likely reason is a RestrictAddressFamilies=
// without AF_UNIX.
//
// Only Linux has systemd. On other systems a process is never activated, and there is no
// service manager to notify.
package fxhttpsystemd
