// Package link is a network link with a round-trip time, for tests: two network
// namespaces, the client's and the server's, each with a TUN device, and a relay
// that carries packets from one to the other and holds each back for half of the
// round trip. Both ends are real kernels with real TCP. Packets can be lost on
// the way, and the cable can be pulled and plugged in again.
//
// A link needs Linux, root and /dev/net/tun, and no other program. It lives in
// this process: nothing is left of it when the process ends, however it ends.
//
//	l, err := link.Open(link.Config{RTT: 40 * time.Millisecond})
//	...
//	defer l.Close()
//	err = l.Server.Do(func() (err error) {
//		ln, err = net.Listen("tcp", l.Server.Addr(0))
//		return err
//	})
//	err = l.Client.Do(func() (err error) {
//		c, err = net.Dial("tcp", ln.Addr().String())
//		return err
//	})
//
// A socket belongs to the namespace of the thread that made it, and a process to
// that of the thread that started it. [End.Do] runs a function on a thread of the
// end, and [End.Start] starts a command there. A command that is started
// elsewhere, by a load generator that runs at the other end, gets there by
// [End.Command].
//
// # Addresses
//
// The ends are [ClientAddr] and [ServerAddr], 127.77.0.1 and 127.77.0.2, and over
// IPv6 fd77::1 and fd77::2. The first two are loopback addresses that the
// namespaces route over the link, so that programs which talk to loopback only, as
// draincheck does, can be used on it as they are. 127.0.0.1 and ::1 are each
// end's own.
package link
