// Package drain loads a server, stops it under load, and accounts for every request. [Run]
// takes a [Config] and returns a [Result], whose JSON form is what the command prints with
// -json.
//
// # A round
//
// draincheck starts the command and asks it until it answers. Then all clients begin at
// once. When each has its load under way, the connections that ask for nothing follow.
// Whatever keeps a small server from its work is left out. Then the time under load begins.
// At its end the late clients connect, and the signal is sent. The clients go on until the
// process has ended: they send requests on the connections that they have, and make new
// ones. Then draincheck waits for the answers to what was sent, and closes the accounts.
//
// A process that does not end in time is killed, but only after running requests have had
// time to end. Separate rounds find out what held it.
//
// # A rollout
//
// One load lasts over several rounds, in each of which the server is stopped and started
// again, or replaces itself. The load may go to a proxy in front of it.
//
// # The accounts
//
// A request is sent if one byte of it may have left this process: the socket tells, not TLS
// or the framer. Every request that was sent ends in exactly one way:
//
//   - answered: a complete response came, whatever its status;
//   - refused: HTTP/2 only; the server said with GOAWAY or REFUSED_STREAM that it did not
//     process it;
//   - behind close: it was pipelined behind a request whose response said Connection: close;
//   - cut: draincheck killed the server before it answered;
//   - lost: anything else. Each lost request has a [Cause].
//
// A round whose accounts do not balance is a bug of this package, and panics.
//
// A request is not sent, and so not lost, if no connection could be made for it (refused
// dials, which include connections that were reset before the first byte was written), or
// if its connection was found closed before it. The clients look at the socket right
// before they write, so what is lost is what no client could have kept.
//
// The clients are made of net.Conn and frames. They use no HTTP client of any library,
// since such a client may silently send a request a second time.
//
// # Concurrency
//
// Run may be called several times at once, for different ports. Config.Progress is called
// from a goroutine of its own, one call at a time, and not after Run has returned.
package drain
