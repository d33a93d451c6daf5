// Package losing is a server for tests that loses exactly as many requests as it is told
// to, in the way that it is told to, and no others. It proves draincheck's verdicts: a tool
// that counts losses is worth only as much as the evidence that it counts correctly.
//
// A test binary becomes this server when the variable [Env] is in its environment: its
// TestMain calls [Main]. The server writes what it saw into a file, so that a test can
// compare the two accounts.
//
// When told to stop, the server loses nothing by accident: it turns away new connections
// before the handshake where the system can do that, accepts what is queued, closes the
// listener, says Connection: close or GOAWAY to everybody, and waits until the clients have
// left.
package losing
