//go:build unix

// Package upgrades is a trial: a server whose idle HTTP/1 connections survive its
// restart. ../upgrades.md says what came of it. It is not a part of fxhttp, and lacks
// what that page says.
package upgrades

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// successorVariable is set in a successor. It finds the listening socket as descriptor 3,
// and its end of a socket to the predecessor as 4.
const successorVariable = "UPGRADES_SUCCESSOR"

// Serve serves h on addr until a successor, which SIGHUP starts, has all connections, or
// until SIGTERM, which ends it at once.
func Serve(addr string, h http.Handler) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	set := &conns{open: make(map[*conn]bool)}
	tcp, predecessor, err := open(addr)
	if err != nil {
		return err
	}
	ln := newListener(tcp, set)
	srv := &http.Server{Handler: h, ConnState: onState, IdleTimeout: time.Minute, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(ln)
	if predecessor != nil {
		if _, err := predecessor.Write([]byte{1}); err != nil { // it gives from now on
			return err
		}
		go receive(predecessor, func(c *net.TCPConn) { ln.ready <- set.add(c) })
	}
	if <-signals == syscall.SIGTERM {
		return nil
	}
	to, err := startSuccessor(tcp)
	if err != nil {
		return err
	}
	// The successor already accepts, so it gets what is queued at the listener.
	tcp.Close()
	<-ln.ended
	set.hand(to)
	for { // until the last response is written, and its connection given
		set.mu.Lock()
		left, gave := len(set.open), set.gave
		set.mu.Unlock()
		if left == 0 {
			fmt.Printf("%d connections handed over\n", gave)
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// open listens, or takes over what the predecessor has left.
func open(addr string) (*net.TCPListener, *net.UnixConn, error) {
	if os.Getenv(successorVariable) == "" {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, nil, err
		}
		return ln.(*net.TCPListener), nil, nil
	}
	socket, control := os.NewFile(3, "listener"), os.NewFile(4, "predecessor")
	defer socket.Close()
	defer control.Close()
	ln, err := net.FileListener(socket)
	if err != nil {
		return nil, nil, err
	}
	predecessor, err := net.FileConn(control)
	if err != nil {
		return nil, nil, err
	}
	return ln.(*net.TCPListener), predecessor.(*net.UnixConn), nil
}

// startSuccessor starts this program once more and waits until it accepts.
func startSuccessor(ln *net.TCPListener) (*net.UnixConn, error) {
	socket, err := ln.File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "successor"), os.NewFile(uintptr(pair[1]), "predecessor")
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	defer ours.Close()
	defer theirs.Close()
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), successorVariable+"=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{socket, theirs}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	to, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	if _, err := to.Read(make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("the successor has not started: %w", err)
	}
	return to.(*net.UnixConn), nil
}
