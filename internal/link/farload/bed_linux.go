package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/internal/draincheck"
	"github.com/fxshutdown/fxhttp/internal/link"
)

// A bed is a link with draincheck at one end, and servers at the other.
type bed struct {
	link       *link.Link
	rtt        time.Duration
	draincheck string
	within     time.Duration
	port       int // of the last server; each has another

	path    string        // of stopping
	stopped *net.UnixConn // receives a datagram when a stop begins
}

// A pull says for how long the cable is pulled during a stop.
type pull struct {
	after, lasts time.Duration
}

func openBed(cfg link.Config, bin, dir string, within time.Duration) (*bed, error) {
	l, err := link.Open(cfg)
	if err != nil {
		return nil, err
	}
	b := &bed{link: l, rtt: cfg.RTT, draincheck: bin, within: within, port: 20000}
	// A unix socket with a name is reached from any network namespace.
	b.path = filepath.Join(dir, "stopping")
	os.Remove(b.path)
	b.stopped, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: b.path})
	if err != nil {
		l.Close()
		return nil, err
	}
	return b, nil
}

func (b *bed) close() {
	b.stopped.Close()
	b.link.Close()
}

// stop starts a server, loads it and stops it.
func (b *bed) stop(ctx context.Context, kind string, l load, p pull) (stop, error) {
	server, err := b.serverCommand(kind, l)
	if err != nil {
		return stop{}, err
	}
	// draincheck has bounds of its own; this is for a bug of its.
	ctx, cancel := context.WithTimeout(ctx, max(l.lasts, minLoad)+2*b.within+time.Minute)
	defer cancel()
	args := l.args(b.link.Server.Addr(b.port), b.rtt, b.within)
	cmd := draincheck.Command(ctx, b.draincheck, append(append(args, "--"), server...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := b.link.Client.Start(cmd); err != nil {
		return stop{}, err
	}
	done := make(chan struct{})
	pulling := make(chan struct{})
	go func() {
		defer close(pulling)
		b.pullWhenStopping(p, done)
	}()
	err = cmd.Wait()
	close(done)
	b.stopped.SetReadDeadline(time.Unix(1, 0))
	<-pulling
	if ctx.Err() != nil {
		return stop{}, ctx.Err()
	}
	if !draincheck.Ran(err) {
		return stop{}, fmt.Errorf("draincheck: %w: %s %s", err, strings.TrimSpace(stderr.String()), stdout.Bytes())
	}
	return parseStop(stdout.Bytes())
}

// serverCommand is the command line of the next server, which listens as most
// programs do, on all addresses.
func (b *bed) serverCommand(kind string, l load) ([]string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b.port++
	argv := []string{self, serveWord, "-kind", kind, "-addr", fmt.Sprintf(":%d", b.port), "-tell", b.path}
	if l.age > 0 {
		argv = append(argv, "-age", l.age.String())
	}
	if l.tls {
		argv = append(argv, "-tls")
	}
	return b.link.Server.Command(argv...)
}

// pullWhenStopping waits for the server's word that its stop begins, and pulls the
// cable for a while.
func (b *bed) pullWhenStopping(p pull, done <-chan struct{}) {
	b.stopped.SetReadDeadline(time.Time{})
	if _, err := b.stopped.Read(make([]byte, 16)); err != nil || p.lasts == 0 {
		return
	}
	defer b.link.Plug()
	pause(p.after, done)
	b.link.Pull()
	pause(p.lasts, done)
}

func pause(d time.Duration, done <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-done:
	}
}

// A stop is what draincheck says about one.
type stop struct {
	sent, lost int
	took       time.Duration // from the signal to the end of the process
	killed     bool
	losses     []string
}

func (s stop) String() string {
	text := fmt.Sprintf("lost %d of %d, took %.1fms", s.lost, s.sent, ms(s.took))
	if s.killed {
		text += ", killed"
	}
	if len(s.losses) > 0 {
		text += ": " + strings.Join(s.losses, "; ")
	}
	return text
}

func parseStop(data []byte) (stop, error) {
	var r struct {
		Schema int `json:"schema"`
		Total  struct {
			Sent int `json:"sent"`
			Lost int `json:"lost"`
		} `json:"total"`
		Rounds []struct {
			Exited float64 `json:"exited_ms"`
			Killed bool    `json:"killed"`
			Losses []struct {
				Written float64 `json:"written_ms"`
				Failed  float64 `json:"failed_ms"`
				Error   string  `json:"error"`
			} `json:"losses"`
		} `json:"rounds"`
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return stop{}, fmt.Errorf("read the result of draincheck: %w", err)
	}
	if r.Schema != 1 || len(r.Rounds) != 1 || r.Total.Sent == 0 {
		return stop{}, fmt.Errorf("draincheck has no result: %s", data)
	}
	round := r.Rounds[0]
	s := stop{sent: r.Total.Sent, lost: r.Total.Lost, killed: round.Killed,
		took: time.Duration(round.Exited * float64(time.Millisecond))}
	for _, l := range round.Losses[:min(len(round.Losses), 3)] {
		s.losses = append(s.losses, fmt.Sprintf("written at %.1fms, failed at %.1fms: %s", l.Written, l.Failed, l.Error))
	}
	return s, nil
}
