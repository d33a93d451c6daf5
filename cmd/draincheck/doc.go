// Command draincheck checks from outside whether a server loses requests when it is told
// to stop, and says why. It starts the server, loads it in several ways at once, sends it
// the stop signal in mid-load, keeps loading until the process has ended, and accounts for
// every request that it sent.
//
//	draincheck -url http://127.0.0.1:8080/ -- ./my-server -its-flags
//
// The server may be written in any language. README.md in this directory says what the
// columns of the report and the fields of the JSON result mean, and what the measurement
// cannot see; RECIPES.md has servers in five languages; draincheck -h lists the flags.
package main
