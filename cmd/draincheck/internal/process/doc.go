// Package process runs the command under test: it starts it in a process group of its
// own, keeps the end of what it prints, sends it the stop signal, and can end it with
// everything that it started.
//
// A [Process] is safe for concurrent use. Whoever starts one must call [Process.Kill] when
// done, whatever happened, so that no process is left behind.
package process
