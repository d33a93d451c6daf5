package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
	"github.com/fxshutdown/fxhttp/internal/testcert"
)

// A spec says what server this process is to be. It comes in the environment, so that a
// test's binary can be one as well.
type spec struct {
	Addr     string
	Kind     string
	Listener string
	Grace    time.Duration
	Age      time.Duration
	TLS      bool
}

const specEnv = "FXHTTP_SOAK"

func (s spec) environ() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return specEnv + "=" + string(b)
}

// serveIfAsked is the server, if this process is to be one. Otherwise it does nothing.
func serveIfAsked() {
	text := os.Getenv(specEnv)
	if text == "" {
		return
	}
	var s spec
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = s.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(0)
}

// target is a server under load.
type target struct {
	stop  func(context.Context) error
	check func() error                // what is wrong with the account after a stop
	after func(context.Context) error // what happens to the socket then

	begun, ended atomic.Int64 // requests, as the handler saw them
}

// serve serves until it is told to stop, and looks into the account of that.
func (s spec) serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	t := &target{}
	srv := &http.Server{Addr: s.Addr, Handler: t}
	if s.TLS {
		certificate, _ := testcert.New()
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	if err := t.start(ctx, s, srv); err != nil {
		return err
	}
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout*9/10)
	defer cancel()
	if err := t.stop(ctx); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	if err := t.check(); err != nil {
		return err
	}
	return t.after(ctx)
}

func (t *target) start(ctx context.Context, s spec, srv *http.Server) error {
	if s.Kind == bare {
		t.stop, t.check, t.after = srv.Shutdown, func() error { return nil }, nobody
		go func() {
			listen := srv.ListenAndServe
			if s.TLS {
				listen = func() error { return srv.ListenAndServeTLS("", "") }
			}
			if err := listen(); !errors.Is(err, http.ErrServerClosed) {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(3)
			}
		}()
		return nil
	}
	cfg := fxshutdown.Config{IdleGrace: s.Grace, MaxConnectionAge: s.Age, TLS: s.TLS}
	after, err := listeners[s.Listener](srv, &cfg)
	if err != nil {
		return err
	}
	t.after = after
	engine, err := fxshutdown.New(srv, cfg)
	if err != nil {
		return err
	}
	if err := engine.Start(ctx); err != nil {
		return err
	}
	t.stop = engine.Stop
	var oldest ages
	if s.Age > 0 {
		go oldest.watch(engine)
	}
	t.check = func() error {
		r, st := engine.Report(), engine.Stats()
		switch {
		case st.Open() != 0 || st.Accepted != st.Closed:
			return fmt.Errorf("connections left: %+v", st)
		case r.Requests != r.Answered+r.Failed+r.Ended+r.Hijacks+r.Aborted:
			return fmt.Errorf("requests do not balance: %+v", r)
		case int64(st.Requests) != t.begun.Load() || t.begun.Load() != t.ended.Load():
			return fmt.Errorf("the handler saw %d requests, the account says %+v", t.begun.Load(), st)
		case s.Age > 0:
			return oldest.check(s.Age, st)
		}
		return nil
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
