package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// stopTimeout bounds every stop.
const stopTimeout = 15 * time.Second

// target is a server under load.
type target struct {
	addr  string
	tls   bool
	stop  func(context.Context) error
	check func() string // what is wrong with the account after a stop

	begun, ended atomic.Int64 // requests, as the handler saw them
}

// certificate is that of the servers, and rootCAs trusts it.
var certificate, rootCAs = testcert.New()

func startTarget(kind string, grace time.Duration, useTLS bool) (*target, error) {
	t := &target{tls: useTLS}
	srv := &http.Server{Addr: "127.0.0.1:0", Handler: t}
	if useTLS {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	if kind == "net/http" {
		return t, t.startBare(srv)
	}
	s, err := fxshutdown.New(srv, fxshutdown.Config{IdleGrace: grace, TLS: useTLS})
	if err != nil {
		return nil, err
	}
	if err := s.Start(context.Background()); err != nil {
		return nil, err
	}
	t.addr, t.stop = s.Addr().String(), s.Stop
	t.check = func() string {
		r, st := s.Report(), s.Stats()
		switch {
		case st.Open() != 0 || st.Accepted != st.Closed:
			return "connections left: " + sprint(st)
		case r.Requests != r.Answered+r.Failed+r.Hijacked+r.AbortedCount:
			return "requests do not balance: " + sprint(r)
		case int64(st.Requests) != t.begun.Load() || t.begun.Load() != t.ended.Load():
			return "handler saw " + sprint(t.begun.Load()) + ", account says " + sprint(st)
		}
		return ""
	}
	return t, nil
}

func (t *target) startBare(srv *http.Server) error {
	ln, err := net.Listen("tcp", srv.Addr)
	if err != nil {
		return err
	}
	t.addr, t.stop = ln.Addr().String(), srv.Shutdown
	t.check = func() string { return "" }
	if t.tls {
		go srv.ServeTLS(ln, "", "")
	} else {
		go srv.Serve(ln)
	}
	return nil
}

// ServeHTTP reads the request whole, and answers with the number of bytes that
// the header Want asks for, slowly if Slow says so.
func (t *target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.begun.Add(1)
	defer t.ended.Add(1)
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if d, err := time.ParseDuration(r.Header.Get("Slow")); err == nil {
		time.Sleep(d)
	}
	n, _ := strconv.Atoi(r.Header.Get("Want"))
	w.Header().Set("Content-Length", strconv.Itoa(max(n, 2)))
	if n == 0 {
		io.WriteString(w, "ok")
		return
	}
	buf := make([]byte, 32<<10)
	for n > 0 {
		k, err := w.Write(buf[:min(n, len(buf))])
		if err != nil {
			return
		}
		n -= k
	}
}
