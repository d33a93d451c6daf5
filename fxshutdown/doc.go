// Package fxshutdown serves an [http.Server] and stops it without losing any request
// that HTTP lets a server keep. It needs only the standard library; the Uber Fx module
// around it is the parent package, fxhttp.
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
//   - delay: readiness fails ([Server.ReadyHandler], [Server.Unready]), and nothing else
//     changes, for ShutdownDelay. If [Server.SetUnready] was called first, the time since
//     then counts.
//   - announce: [Draining] closes, and the callbacks of http.Server.RegisterOnShutdown
//     run. From here on, every HTTP/1 response whose handler has not called WriteHeader
//     or Write yet says "Connection: close", including those of running requests.
//   - listener: the connections in the accept queue are accepted, since each is a client
//     that believes it is connected, and the listener is closed. On Linux, new handshakes
//     are ignored meanwhile, and the stop waits at most a second for those under way.
//   - drain: a connection that waits for a request is dropped once its client has been
//     quiet for IdleGrace on all its connections. Requests that arrive meanwhile are
//     answered, and the stop waits for running requests. An HTTP/2 connection gets GOAWAY
//     when it has been quiet for IdleGrace. A busy one gets it when its running requests
//     are answered, but after 500 ms at the latest; until then, what its client sends is
//     held back.
//   - force: shortly before the time is over, the contexts of the requests are cancelled.
//     Whatever is still left after that is cut, and named in the [Report].
//
// Events wake Stop. It returns when the last connection and the last handler are gone,
// not a polling interval later.
//
// The socket of a Config.Listener may belong to somebody else: ListenerOwned and
// ListenerHandedOver say whose it is. A listener that somebody else keeps open is closed
// during the drain. So is one whose queue has to wait for connections to end, because
// descriptors ran out or because of MaxConnections.
//
// With DrainSpread, the announcement comes first, and connections retire one after
// another, from the beginning of the delay on.
//
// # Connections that end earlier
//
// MaxConnectionAge, MaxRequestsPerConnection and [Server.Retire] tell individual clients
// to go while the server serves, in the same way as a stop does: with the next response,
// with GOAWAY, and through [Draining]. See [Config].
//
// # The budget
//
// Stop has the time that its context leaves, less StopReserve (a tenth, at most 2 s),
// which is for whatever stops after it. The last tenth of the rest, at most 500 ms, is
// for the force phase. DrainTimeout can shorten the time. With a context that has no
// deadline, Stop waits for as long as it takes; with one that has expired, it forces at
// once.
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
// [ErrRequestGrace] as the cause. Requests that still do not end are aborted when the
// time is over, and Stop returns an [AbortedError].
//
// # Hijacked connections
//
// net/http forgets a connection that is hijacked, such as a WebSocket. Server does not:
// it waits until the connection is closed, but no longer than HijackGrace and the stop's
// time allow. Then it closes the connection itself, and names the request that hijacked
// it in Report.HijackedClosedRequests. This is not an error of Stop. The handler learns
// of the drain from [Draining]; under [EndOnDrain], it has at most 500 ms.
//
// # What the http.Server sees
//
// The http.Server that was given to New does not serve itself, because a server that
// shuts down drops requests that it has read (go.dev/issue/75591). A private server with
// the same settings serves. The given one is the control surface:
//
//   - Its Handler and DisableGeneralOptionsHandler are read at each request, its ErrorLog
//     at each line.
//   - What was registered with RegisterOnShutdown runs when the drain begins, and once
//     more at each Shutdown that others call on it.
//   - Its Shutdown and Close stop the Server, as net/http documents; Shutdown waits for
//     as long as its context allows.
//   - [http.ServerContextKey] is the given server.
//
// Hooks see the connections that the listener accepted, or the *tls.Conn. Hijack returns
// a wrapper that has CloseWrite, ReadFrom and SyscallConn, and NetConn for everything
// else. A connection that is served by a TLSNextProto function of yours is tracked like a
// hijacked one.
//
// # Limits
//
//   - Handshakes under way are known on Linux, with plain TCP: from the reference count
//     of the listening socket in /proc/net/tcp, and if that shows any, from sock_diag or
//     the rest of that file. Neither needs a privilege. Where all of these are refused,
//     the queue must look empty for 3 ms. A socket filter keeps new clients away
//     meanwhile. Some kernels refuse it without CAP_NET_ADMIN (seen on Linux 6.18.44);
//     then the stop waits for a gap between clients, and the log says so only for a
//     Config.Listener. SYN cookies, which the kernel uses when the queue overflows, leave
//     no trace. Elsewhere, and on a given listener that is not known to be owned, a
//     client whose handshake is under way at the close is reset. There, the queue is
//     emptied for at most 250 ms, since new clients may never stop coming.
//   - HTTP/1.1 lets a server close an idle connection while a request is on its way (RFC
//     9112, sections 9.3.1 and 9.5). A client whose next request comes IdleGrace or
//     longer after its last one can lose it, if it sends it within one network round trip
//     of the close. A client is a remote IP address, as the listener's connections report
//     it: with the PROXY protocol, that of the proxy's client. All peers of a unix socket
//     are one client. Behind address translation, one address stands for thousands of
//     clients and is never quiet: its idle connections are dropped all the same,
//     IdleGrace and 500 ms into the drain. A far client has 16 round trips more, at most
//     2 s in all, if the kernel knows its distance (Linux, TCP): a pool of 32
//     connections, 4 of them in use, needs 8 round trips to reach for each connection.
//   - [EndOnDrain] cannot tell a long response that is sent piece by piece from a stream,
//     or a request that takes more than 250 ms from a long poll: it cancels them all.
//   - At MaxConnections, a stop serves the clients in the queue in turn, which may take
//     long: a new client whose handshake is ignored meanwhile does not learn any sooner
//     that it is refused. Where new clients cannot be kept away, the stop serves the
//     clients that were in the queue when the listener phase began, or the first 128 if
//     the system does not report their number; 250 ms later it closes the listener. Once
//     RequestGrace is over, a client that is still in the queue is accepted, but its
//     request is cancelled from the start, and over TLS its handshake fails.
//   - A response without a length whose handler returns early because its context was
//     cancelled is complete as far as HTTP knows. It counts as answered.
//   - A hijacked connection counts as ended when its owner, a hook that saw it, or its
//     peer closes it. A close by the peer is noticed when somebody reads and, under TLS
//     on Unix systems, by asking the socket every 250 ms.
//   - HTTP/2 requests above the stream number of GOAWAY are refused unprocessed (RFC
//     9113, section 6.8). Requests pipelined behind an HTTP/1 response that said close go
//     unanswered (RFC 9112, section 9.6).
//   - A TLS connection that has not sent a request yet may be held 300 ms longer than
//     IdleGrace if the http.Server has neither ReadHeaderTimeout nor ReadTimeout nor
//     WriteTimeout: only their deadlines show that its handshake is over. A connection
//     whose reading is blocked by a hook of yours, such as GetCertificate or ConnState,
//     is held for 2 s more.
//   - When an HTTP/2 handler has returned, net/http may still hold the last 4 KB of its
//     response if the client's flow control requires it. The response counts as answered
//     50 ms later.
//   - If Config.Listener returns connections of type *tls.Conn, the Server does not see
//     what is read from them and written to them: it judges by their state alone whether
//     they wait, and forgets hijacked ones when their handlers return.
//   - The handler of golang.org/x/net/http2/h2c hijacks the connections that it serves,
//     so they are treated as hijacked. Set http.Server.Protocols to unencrypted HTTP/2
//     instead.
//   - Middleware that looks for unexported methods of net/http's ResponseWriter does not
//     find them. http.MaxBytesReader does so to close the connection behind a body that
//     is too large.
//   - SetKeepAlivesEnabled(false) on the given server reaches no connection.
package fxshutdown
