package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/fxshutdown/fxhttp/fxshutdown"
)

// specEnv has the options of the server that this process is to be. So a test's binary
// can be one as well.
const specEnv = "FXHTTP_SPREAD"

// A spec says what server that is.
type spec struct {
	Over, Budget time.Duration
}

// idleGrace is the server's.
const idleGrace = fxshutdown.DefaultIdleGrace

// A message is what the server's process tells: where it listens, and at last its stop.
type message struct {
	Addr    string
	Took    time.Duration
	Stalled time.Duration // as in result, of the server's process
	Err     string
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
		err = s.serve(os.Stdin, json.NewEncoder(os.Stdout))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(3)
	}
	os.Exit(0)
}

// serve serves until its input ends.
func (s spec) serve(in io.Reader, out *json.Encoder) error {
	engine, err := fxshutdown.New(
		&http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(handle)},
		fxshutdown.Config{DrainSpread: s.Over})
	if err != nil {
		return err
	}
	if err := engine.Start(context.Background()); err != nil {
		return err
	}
	if err := out.Encode(message{Addr: engine.Addr().String()}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.Budget)
	defer cancel()
	stalls := watchStalls()
	began := time.Now()
	err = engine.Stop(ctx)
	end := message{Took: time.Since(began), Stalled: stalls()}
	if err != nil {
		end.Err = err.Error()
	}
	return out.Encode(end)
}

// closeFrame is what a WebSocket is told: going away (RFC 6455, 7.4.1).
const closeFrame = "\x88\x02\x03\xe9"

// handle answers, or upgrades to a WebSocket that is idle until it is told to go.
func handle(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		io.WriteString(w, "ok")
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); err != nil {
		return
	}
	<-fxshutdown.Draining(r.Context())
	io.WriteString(conn, closeFrame)
}

// server is the process of the server.
type server struct {
	addr string
	cmd  *exec.Cmd
	in   io.Closer
	out  *json.Decoder
}

func startServer(ctx context.Context, o options) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(spec{Over: o.over, Budget: o.budget()})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), specEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, in: in, out: json.NewDecoder(out)}
	m, err := s.hear()
	if err != nil {
		s.kill()
		return nil, err
	}
	s.addr = m.Addr
	return s, nil
}

// stop stops the server, and returns when the process has ended.
func (s *server) stop() (message, error) {
	s.in.Close()
	m, err := s.hear()
	if err != nil {
		return m, err
	}
	return m, s.cmd.Wait()
}

func (s *server) hear() (m message, err error) {
	if err := s.out.Decode(&m); err != nil {
		return m, fmt.Errorf("the server's process: %w", err)
	}
	return m, nil
}

// kill ends the process if it has not ended.
func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}
