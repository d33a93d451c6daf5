// Package probe measures how long a server takes to exit after the stop signal while something is in its way.
//
// The clients are polite: like the pools of real clients, they close a connection as soon as the server has closed its
// side or said that it will. What holds a server here would hold it longer with worse clients.
package probe
