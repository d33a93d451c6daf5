package fxshutdown_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// uploadScenarios are about requests whose bodies come late, or never.
var uploadScenarios = []scenario{
	// A client that has its answer does not send the rest of its request, or only a byte
	// now and then.
	{"AnsweredStalls", bubbles, h1Modes, func(t *testing.T, m mode) {
		answeredUpload(t, m, func(*rawConn) {}, 500*ms)
	}},
	{"AnsweredDrips", bubbles, h1Modes, func(t *testing.T, m mode) {
		answeredUpload(t, m, func(c *rawConn) { c.drip("x", 100*ms) }, 3*time.Second)
	}},

	// If a client that has its answer goes on sending, the server reads on, since a reset
	// might destroy the answer before it is read.
	{"AnsweredSlow", bubbles, h1Modes, func(t *testing.T, m mode) {
		s := start(t, m, hello, onPipe)
		c := s.raw()
		done := s.stopIn(time.Hour)
		c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n")
		for range 5 {
			time.Sleep(300 * ms)
			c.send("0123456789")
		}
		c.reply(http.MethodPost).want(t, "hello")
		c.waitClosed()
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		s.wantReport(account{answered: 1})
	}},

	// The handler goes on reading the body while its response is being written to a slow
	// client: what is read then is not the rest after an answer.
	{"ReadOnWhileAnswering", bubbles, []mode{h1}, func(t *testing.T, m mode) {
		l := newPipeListener()
		l.pipe = net.Pipe // without a buffer
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			go io.Copy(io.Discard, r.Body)
			time.Sleep(20 * ms)
			hello(w, r)
		}, on(l), idleGrace(2*time.Second))
		c := s.raw()
		done := s.stopIn(time.Hour)
		c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
		time.Sleep(100 * ms)
		c.send("xxx")
		time.Sleep(5 * time.Second)
		c.reply(http.MethodPost).want(t, "hello")
		c.Close()
		if err := <-done; err != nil {
			t.Errorf("Stop() = %v, want nil", err)
		}
		s.wantReport(account{answered: 1})
	}},

	// An upload that stalls is a running request: it has the time of the stop.
	{"Stalls", bubbles, allModes, func(t *testing.T, m mode) {
		awaitLinger(t)
		s := start(t, m, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			fmt.Fprint(w, err)
		}, onPipe)
		pr, pw := io.Pipe()
		defer pw.Close()
		c := s.client()
		got := make(chan reply, 1)
		go func() { got <- s.do(c, http.MethodPost, "/upload", pr) }()
		s.states.wait(t, http.StateActive, 1)
		synctest.Wait()
		d, err := s.timeStop(10 * time.Second)
		took(t, "Stop()", d, 8500*ms, 9*time.Second)
		var aborted *fxshutdown.AbortedError
		if !errors.As(err, &aborted) {
			t.Errorf("Stop() = %v, want an *AbortedError", err)
		}
		pw.CloseWithError(io.ErrUnexpectedEOF)
		<-got
		s.wantReport(account{aborted: 1})
	}},
}

// answeredUpload stops a server whose client got its answer before it had sent its whole
// request, and then goes on as goOn says. The stop waits for it no longer than most.
func answeredUpload(t *testing.T, m mode, goOn func(*rawConn), most time.Duration) {
	t.Helper()
	awaitLinger(t)
	s := start(t, m, hello, onPipe)
	c := s.raw()
	done := s.stopIn(time.Hour)
	c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nsome")
	c.reply(http.MethodPost).want(t, "hello")
	goOn(c)
	began := time.Now()
	if err := <-done; err != nil {
		t.Errorf("Stop() = %v, want nil: the request was answered", err)
	}
	took(t, "Stop() after the response", time.Since(began), 0, most)
	if r := s.wantReport(account{answered: 1}); r.IdleClosed != 0 {
		t.Errorf("Report() = %+v, want none dropped: it did not wait for a request", r)
	}
}
