package fxshutdown_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// hello is a handler that answers at once.
func hello(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }

// A gate is a handler that says when it was entered, and answers when it is told to.
// Tests defer open, since the server's account is checked when all handlers have
// returned.
type gate struct {
	entered chan struct{}
	leave   chan struct{}
	once    sync.Once
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}, 1024), leave: make(chan struct{})}
}

// open lets the handler answer all requests.
func (g *gate) open() { g.once.Do(func() { close(g.leave) }) }

// ServeHTTP answers "/quick" at once, and others when the gate is open.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/quick" {
		g.entered <- struct{}{}
		<-g.leave
	}
	hello(w, r)
}

// waitEntered waits for n requests to be at the gate.
func (g *gate) waitEntered(t testing.TB, n int) {
	t.Helper()
	for range n {
		receive(t, "the handler", g.entered)
	}
}

// sse returns a handler of server-sent events: it sends one, and ends as told.
func sse(entered chan<- struct{}, end func(*http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		entered <- struct{}{}
		end(r)
	}
}

// playground is a handler that does something different at each path.
func playground(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/echo":
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %q %v trailer=%v", r.Method, b, err, r.Trailer)
	case "/ignore-body":
		hello(w, r)
	case "/big":
		io.WriteString(w, strings.Repeat("b", 10_000))
	case "/length":
		w.Header().Set("Content-Length", "5")
		hello(w, r)
	case "/short":
		w.Header().Set("Content-Length", "50")
		hello(w, r)
	case "/too-long":
		w.Header().Set("Content-Length", "2")
		_, err := io.WriteString(w, "hello")
		if !errors.Is(err, http.ErrContentLength) {
			panic(fmt.Sprintf("write beyond Content-Length: %v", err))
		}
	case "/flush":
		io.WriteString(w, "hel")
		w.(http.Flusher).Flush()
		io.WriteString(w, "lo")
	case "/read-from":
		w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
	case "/204":
		w.WriteHeader(http.StatusNoContent)
	case "/304":
		w.WriteHeader(http.StatusNotModified)
	case "/twice":
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
	case "/hints":
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
		hello(w, r)
	case "/trailers":
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "hello")
		w.Header().Set("X-Sum", "5")
		w.Header().Set(http.TrailerPrefix+"X-Late", "yes")
	case "/close":
		w.Header().Set("Connection", "close")
		hello(w, r)
	case "/426":
		w.Header().Set("Upgrade", "chat")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusUpgradeRequired)
	case "/101":
		w.Header().Set("Upgrade", "chat")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		rw.WriteString("bye")
		rw.Flush()
		c.Close()
	case "/hijack":
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, err = io.WriteString(w, "lost")
		fmt.Fprintf(rw, "HTTP/1.0 200 OK\r\n\r\nhijacked %v", errors.Is(err, http.ErrHijacked))
		rw.Flush()
		c.Close()
	case "/duplex":
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			panic(err)
		}
		io.WriteString(w, "hel")
		w.(http.Flusher).Flush()
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "lo")
	case "/panic":
		panic("on purpose")
	case "/abort":
		io.WriteString(w, "hel")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	case "/conn":
		fmt.Fprint(w, r.RemoteAddr != "", r.Context().Value(http.LocalAddrContextKey) != nil, r.TLS != nil, r.Host, r.RequestURI)
	case "/cancelled":
		fmt.Fprint(w, r.Context().Err())
	default:
		fmt.Fprintf(w, "%s %s %v", r.Method, r.RequestURI, r.Close)
	}
}
