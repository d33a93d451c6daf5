package drain

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// readyPoll is the time between two attempts to reach a command that starts.
const readyPoll = 20 * time.Millisecond

// ensureFree refuses a port on which somebody answers before the command was started: all that follows would be
// measured on the wrong server.
func (t *target) ensureFree(ctx context.Context) error {
	for _, addr := range t.addrs {
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		self := c.LocalAddr().String() == c.RemoteAddr().String()
		c.Close()
		if !self {
			return fmt.Errorf("something already listens on %s, before the command was started: stop it, or choose another port", addr)
		}
	}
	return nil
}

// awaitReady waits until the command answers, and settles on the address that did.
func (c *check) awaitReady(ctx context.Context, p *process.Process) error {
	deadline := time.NewTimer(c.cfg.Ready)
	defer deadline.Stop()
	// An attempt may not outlast the wait: a server that accepts and then says nothing is one that never answers.
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Ready)
	defer cancel()
	var last error
	for {
		for _, addr := range c.target.addrs {
			c.target.addr = addr
			err := c.tryOnce(ctx)
			if err == nil {
				return nil
			}
			var verify *tls.CertificateVerificationError
			if errors.As(err, &verify) {
				return fmt.Errorf("%w (-cacert FILE names the authority to trust, -insecure skips the check)", err)
			}
			if telling(err) >= telling(last) {
				last = err
			}
		}
		poll := time.NewTimer(readyPoll)
		select {
		case <-poll.C:
			continue
		case <-p.Exited():
			poll.Stop()
			return errExited
		case <-ctx.Done():
			poll.Stop()
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("the command did not answer on %s within %v (-ready): %w",
				strings.Join(c.target.addrs, " or "), c.cfg.Ready, last)
		}
	}
}

// telling ranks errors by how much they say about a server that does not become ready. The last attempt often says
// nothing but that time was up, and the next address of a host nothing but that nobody listens there.
func telling(err error) int {
	var dial *net.OpError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &dial) && dial.Op == "dial" && !isRefused(err):
		return 1
	case isRefused(err):
		return 2
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return 3
	}
	return 4
}

// tryOnce asks once, as the load will, or as ReadyPath wants it.
func (c *check) tryOnce(ctx context.Context) error {
	method, path, body := c.cfg.Method, c.target.path, c.cfg.Body
	if c.cfg.ReadyPath != "" {
		method, path, body = http.MethodGet, c.cfg.ReadyPath, ""
	}
	cn, err := c.dialer.dial(ctx, "http/1.1")
	if err != nil {
		return err
	}
	defer cn.Close()
	cn.SetDeadline(time.Now().Add(c.cfg.Timeout))
	stop := context.AfterFunc(ctx, func() { cn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := cn.Write(requestBytes(method, path, c.target.host, c.cfg.Header, body, "Connection: close")); err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	a, err := cn.readAnswer(method)
	if err != nil {
		return err
	}
	if c.cfg.ReadyPath != "" && a.status/100 != 2 {
		return fmt.Errorf("%s %s: answered with status %d, want 2xx", method, path, a.status)
	}
	return nil
}

// settleAuto turns Auto into numbers, now that the server can be asked. What was asked for by number has to be there.
func (c *check) settleAuto(ctx context.Context) error {
	cfg := &c.cfg
	auto := func(n *int, on bool, some int) {
		if *n == Auto {
			*n = 0
			if on {
				*n = some
			}
		}
	}
	auto(&cfg.Slow, cfg.SlowPath != "", autoSlow)
	auto(&cfg.Streams, cfg.StreamPath != "", autoStreams)
	auto(&cfg.WebSockets, cfg.WSPath != "", autoWebSockets)
	for _, path := range []*string{&cfg.SlowPath, &cfg.StreamPath, &cfg.WSPath} {
		if *path == "" {
			*path = c.target.path
		}
	}

	count, flag, off := &cfg.H2C, "-h2c", &cfg.H2
	if c.target.https {
		count, flag, off = &cfg.H2, "-h2", &cfg.H2C
	}
	*off = 0
	if *count == 0 {
		return nil
	}
	h, err := dialH2(ctx, c.dialer, min(cfg.Timeout, 2*time.Second))
	if err == nil {
		h.close()
		auto(count, true, autoH2)
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if *count == Auto {
		*count = 0
		return nil
	}
	return fmt.Errorf("%s %d: the server does not speak HTTP/2 there: %w", flag, *count, err)
}
