// Package losing is a server for tests that loses exactly as many requests as it is told
// to, in the way that it is told to, and no others. It is what proves draincheck's
// verdicts: a tool that counts losses is worth what is known about its counting.
//
// A test binary becomes this server when the variable [Env] is in its environment: its
// TestMain calls [Main]. What the server saw itself it writes into a file, so that a test
// can hold the two accounts side by side.
//
// Told to stop, the server lets go of nothing by accident: it turns new connections away
// before the handshake where the system can do that, accepts what is queued, closes the
// listener, says Connection: close or GOAWAY to everybody, and waits until the clients
// have left.
package losing
