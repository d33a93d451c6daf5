// Command farload stops servers whose clients are a round trip away, and counts
// what the clients lost.
//
//	go run ./internal/link/farload -rtt 40ms -load new -clients 32 -stops 50
//	go run ./internal/link/farload -rtt 0,1ms,4ms,40ms -load pool -busy 4 -stops 50
//	go run ./internal/link/farload -rtt 4ms -load pool,keepalive,h2 -age 300ms -for 60s -stops 1 -server fxshutdown
//	go run ./internal/link/farload -rtt 4ms -load pool -clients 256 -busy 16 -tls
//	go run ./internal/link/farload -rtt 40ms -loss 0.01 -load new,keepalive,h2 -tls
//	go run ./internal/link/farload -rtt 4ms -load keepalive -pull-after 1ms -pull-for 500ms
//
// The clients are draincheck's, at one end of a link (see package link), and the
// servers are started by it at the other end. The servers of a row are stopped in
// turn in the same run, so that they share the same conditions. The command prints
// how many requests were written and got no complete response (lost), of how many,
// the median and the range of that over the stops, and how long the stops took, from
// the signal to the end of the process.
//
// It needs Linux, root and /dev/net/tun, and the go command to build draincheck
// unless -draincheck names it.
package main
