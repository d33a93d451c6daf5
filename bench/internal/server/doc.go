// Package server runs the programs that are compared: it starts one on a free port, waits until it answers, sends it the
// stop signal and sees when it has exited. None of them is left behind, whatever happens.
package server
