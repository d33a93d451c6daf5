package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// scenario is a kind of load.
type scenario struct {
	name    string
	tls     bool
	clients func(grace time.Duration) []func(*load)
}

func all(n int, client func(*load)) func(time.Duration) []func(*load) {
	return func(time.Duration) []func(*load) {
		cs := make([]func(*load), n)
		for i := range cs {
			cs[i] = client
		}
		return cs
	}
}

var big = request{body: bytes.Repeat([]byte("x"), 256<<10), header: "Want: 262144\r\n"}

var scenarios = []scenario{
	{name: "keep-alive", clients: all(64, keepAlive(small))},
	{name: "new-conn", clients: all(64, newConnection)},
	{name: "keep-alive-tls", tls: true, clients: all(64, keepAlive(small))},
	{name: "new-conn-tls", tls: true, clients: all(16, newConnection)},
	{name: "h2", tls: true, clients: all(2, http2(64))},
	{name: "pipelined", clients: all(16, pipelined)},
	{name: "transfers", clients: all(16, keepAlive(big))},
	{name: "expect", clients: all(32, keepAlive(request{body: small.body, expect: true}))},
	{name: "slow", clients: all(64, keepAlive(request{body: small.body, header: "Slow: 20ms\r\n"}))},
	{name: "late", clients: all(20, late(3*time.Millisecond))},
	{name: "offsets", clients: func(grace time.Duration) []func(*load) {
		// From none to four fifths of IdleGrace; what comes at its very end HTTP
		// allows to lose.
		var cs []func(*load)
		for i := range 40 {
			cs = append(cs, paced(grace*time.Duration(i)/50))
		}
		return cs
	}},
}

func scenarioNames() (names []string) {
	for _, sc := range scenarios {
		names = append(names, sc.name)
	}
	return names
}

// result is that of one round.
type result struct {
	counts
	losses []string
	took   time.Duration // of the stop
}

// round starts a server, loads it, stops it in mid-load, and settles the account.
func (sc scenario) round(kind, listener string, grace time.Duration) (result, error) {
	t, err := startTarget(kind, listener, grace, sc.tls)
	if err != nil {
		return result{}, err
	}
	l := &load{t: t, grace: grace, stopped: make(chan struct{})}
	var wg sync.WaitGroup
	for _, client := range sc.clients(grace) {
		wg.Go(func() { client(l) })
	}
	if sc.name != "late" {
		l.awaitAnswers(len(sc.clients(grace)))
	}
	time.Sleep(20*time.Millisecond + rand.N(40*time.Millisecond))

	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	began := time.Now()
	l.stopAt.Store(began.UnixNano())
	stopErr := t.stop(ctx)
	took := time.Since(began)
	end := t.after()
	close(l.stopped)
	wg.Wait()
	end()

	if stopErr != nil && kind != "net/http" {
		return result{}, fmt.Errorf("stop: %w", stopErr)
	}
	if wrong := t.check(); wrong != "" {
		return result{}, errors.New(wrong)
	}
	return result{counts: l.counts, losses: l.losses, took: took}, nil
}
