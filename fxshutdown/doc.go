// Package fxshutdown serves an [http.Server] and stops it without losing a
// request that HTTP allows to be kept. It needs the standard library alone; the
// Uber Fx module around it is the parent package, fxhttp.
//
//	srv := &http.Server{Addr: ":8080", Handler: mux}
//	s, err := fxshutdown.New(srv, fxshutdown.Config{})
//	...
//	if err := s.Start(ctx); err != nil { ... } // bound and serving
//	...
//	err = s.Stop(ctx) // returns when the last connection and handler are gone
//
// # The stop
//
// Stop runs through these phases:
//
//   - delay: [Server.Ready] fails, nothing else changes, for ShutdownDelay, less the
//     time since [Server.SetUnready], if that came first;
//   - announce: [Draining] closes, the callbacks of http.Server.RegisterOnShutdown
//     run, and from here on every HTTP/1 response whose handler has not called
//     WriteHeader or Write yet says "Connection: close", those of requests that run
//     already included;
//   - listener: the connections in the accept queue are accepted, since each is
//     a client that believes it is connected, and the listener is closed. On Linux new
//     handshakes are ignored meanwhile, and those under way are waited for, for a
//     second at most;
//   - drain: a connection that waits for a request is dropped once its client has
//     been quiet for IdleGrace on all its connections, requests that arrive
//     meanwhile are answered, and running requests are waited for; an HTTP/2
//     connection gets GOAWAY when it has been quiet for IdleGrace, or, if it is
//     busy, when its running requests are answered, 500 ms later at most: until then
//     what its client sends is held back;
//   - force: shortly before the time is over the contexts of the requests are
//     cancelled, then what is left is cut, and named in the [Report].
//
// Stop is woken by events. It returns when the last connection and the last
// handler are gone, not a polling interval later.
//
// A Config.Listener has somebody else's socket, maybe: ListenerOwned and
// ListenerHandedOver say whose. One that somebody keeps open is closed during the
// drain, and so is one whose queue waits for connections to end, for want of
// descriptors or because of MaxConnections.
//
// With DrainSpread the announcement comes first, and connections retire one after
// another, from the beginning of the delay on.
//
// # Connections that end earlier
//
// MaxConnectionAge, MaxConnectionRequests and [Server.Retire] tell single clients to go
// while the server serves, as a stop would: by the next response, by a GOAWAY, and by
// [Draining]. See [Config].
//
// # The budget
//
// Stop's time is that of its context, less StopReserve (a tenth, 2 s at most),
// which is left to those who stop after it. Of the rest the last tenth, 500 ms at
// most, is for the force. DrainTimeout can shorten it. A context without deadline
// means to wait for as long as it takes; one that is over, to force at once.
//
// # Requests that do not end
//
// A handler that runs for long should end when [Draining] closes:
//
//	select {
//	case <-fxshutdown.Draining(r.Context()):
//		return
//	case event := <-events:
//		...
//
// For handlers that cannot ask, those of proxies and libraries, [EndOnDrain] cancels the
// context instead:
//
//	mux.Handle("/events", fxshutdown.EndOnDrain(proxy))
//
// RequestGrace cancels the contexts of requests that run for longer, with
// [ErrRequestGrace] as cause. Those that do not end then either are aborted when
// the time is over: an [AbortedError] of Stop.
//
// # Hijacked connections
//
// net/http forgets a connection that is hijacked, a WebSocket say. Server does
// not: it waits for it to be closed, for HijackGrace or as long as there is time,
// closes it, and names the request that it began with in Report.Cut. This is no
// error of Stop. The handler learns of the drain by [Draining]; under [EndOnDrain] it has
// 500 ms at most.
//
// # What the http.Server sees
//
// The http.Server that was given to New does not serve itself, since one that
// shuts down drops requests which it has read (go.dev/issue/75591). A private one
// with the same settings does. The given one is the control surface: its Handler
// and DisableGeneralOptionsHandler are asked for at each request, its ErrorLog at each
// line; what was registered by RegisterOnShutdown runs when
// the drain begins, and once more at each Shutdown that others call on it; Shutdown
// and Close stop the Server, Shutdown waits for as long as its context allows, both
// as net/http documents. [http.ServerContextKey] is the given one.
// Hooks see the connections that the listener accepted, or the *tls.Conn. What
// Hijack returns is a wrapper with CloseWrite, ReadFrom, SyscallConn, and NetConn
// for the rest. A protocol that a TLSNextProto of the user's serves is tracked as
// hijacked connections are.
//
// # Limits
//
//   - Handshakes under way are known on Linux, with plain TCP: by the reference count of
//     the listening socket in /proc/net/tcp, and where that tells of any, by sock_diag,
//     or by the rest of that file. Neither needs a privilege. Where all are refused, the
//     queue must look empty for 3 ms. What keeps new clients away meanwhile, a socket
//     filter, some kernels refuse without CAP_NET_ADMIN (seen on Linux 6.18.44): then a
//     gap between clients is waited for, and only for a Config.Listener the log says so.
//     SYN cookies, to which the kernel resorts when the queue overflows, leave no trace.
//     Elsewhere, and on a listener that is given and of which nobody says that it is
//     owned, whoever is in a handshake at the close is reset, and new clients that never
//     stop coming end it after 250 ms.
//   - HTTP/1.1 lets a server close an idle connection while a request is on its way
//     (RFC 9112, sections 9.3.1 and 9.5): a client whose next request comes
//     IdleGrace or longer after its last one can lose by one network round trip. A
//     client is a remote IP address, as the listener's connections tell it: with the
//     PROXY protocol it is that of the proxy's client. All peers of a unix socket are
//     one. Behind address translation one address is thousands of clients and never
//     quiet: IdleGrace and 500 ms into the drain its idle connections are dropped all
//     the same. A far client has 16 round trips more, 2 s in all, if the kernel tells
//     how far it is (Linux, TCP): a pool of 32 connections of which 4 are in use needs
//     8 to reach for each of them.
//   - [EndOnDrain] cannot tell a long response that is sent piece by piece from a stream, nor
//     a long poll from a request that takes more than 250 ms: both are cancelled.
//   - At MaxConnections the queue of a stop is served in turn, which may take long: a new
//     client whose handshake is ignored meanwhile learns no sooner that it is refused.
//     Where new clients cannot be kept away, those have their turn who were in the queue
//     when the listener was to be closed, or the first 128 if the system does not tell how
//     many that are; 250 ms later it is closed. Once RequestGrace is over, who is still in
//     the queue is accepted, but its request is cancelled from birth, and over TLS its
//     handshake fails.
//   - A response without a length whose handler returns early because its context was
//     cancelled is complete to HTTP. It counts as answered.
//   - A hijacked connection counts as ended when its owner, a hook that saw it, or its
//     peer closes it. The last is noticed when somebody reads, and under TLS on Unix
//     systems, where the socket is asked every 250 ms.
//   - HTTP/2 requests above the stream number of GOAWAY are refused unprocessed (RFC 9113,
//     section 6.8). Requests pipelined behind an HTTP/1 response that said close go
//     unanswered (RFC 9112, section 9.6).
//   - A TLS connection that has sent no request yet may be held 300 ms longer than
//     IdleGrace if the http.Server has neither ReadHeaderTimeout nor ReadTimeout
//     nor WriteTimeout: only their deadlines show that its handshake is over. A
//     connection that a hook of the user's keeps from reading, such as GetCertificate
//     or ConnState, is held for 2 s more.
//   - Of an HTTP/2 response whose handler has returned net/http may still hold the
//     last 4 KB, if the client's flow control wants it so. It counts as answered 50 ms
//     later.
//   - If Config.Listener returns *tls.Conn, the connections below are not ours: that
//     they wait is judged by their state alone, and hijacked ones are forgotten when
//     their handlers return.
//   - The handler of golang.org/x/net/http2/h2c hijacks the connections that it serves,
//     and they are treated as hijacked: set http.Server.Protocols to unencrypted HTTP/2
//     instead.
//   - Middleware that looks for unexported methods of net/http's ResponseWriter, as
//     http.MaxBytesReader does to close the connection behind a body that is too
//     large, does not find them.
//   - SetKeepAlivesEnabled(false) on the given server reaches no connection.
package fxshutdown
