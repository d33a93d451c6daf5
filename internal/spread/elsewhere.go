package main

import (
	"io"
	"net"
	"sync"
	"time"
)

// elsewhere is the second server: it notes who comes.
type elsewhere struct {
	ln net.Listener

	mu   sync.Mutex // guards came
	came []arrival
}

// arrival is a client that has come back.
type arrival struct {
	kind int
	at   time.Time
}

func listenElsewhere() (*elsewhere, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &elsewhere{ln: ln}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // it is closed
			}
			go e.note(conn, time.Now())
		}
	}()
	return e, nil
}

// note notes a client that says of what kind it is.
func (e *elsewhere) note(conn net.Conn, at time.Time) {
	defer conn.Close()
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.came = append(e.came, arrival{int(kind[0]), at})
}

func (e *elsewhere) arrivals() []arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came
}

func (e *elsewhere) addr() string { return e.ln.Addr().String() }

func (e *elsewhere) close() { e.ln.Close() }
