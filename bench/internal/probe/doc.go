// Package probe measures how long a server takes to exit after the stop signal while something is in its way.
//
// The clients are polite: they close a connection as soon as the server closed its side or said that it will, as the
// pools of real clients do. What holds a server here would hold it longer with worse ones.
package probe
