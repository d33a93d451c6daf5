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

// ensureFree refuses a port on which somebody answers before the command was started: all
// that follows would be measured on the wrong server.
func (t *target) ensureFree(ctx context.Context) error {
	for _, addr := range t.addrs {
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, t.network(), addr)
		if err != nil {
			continue
		}
		self := t.unix == "" && c.LocalAddr().String() == c.RemoteAddr().String()
		c.Close()
		if !self {
			return fmt.Errorf("something already listens on %s%s, before the command was started: stop it, or choose another port", addr, ownerOf(addr))
		}
	}
	return nil
}

// ownerOf names who listens at addr, if that can be known.
func ownerOf(addr string) string {
	if l, ok := process.Owner(addr); ok {
		return fmt.Sprintf(", %v", l)
	}
	return ""
}

// awaitReady waits until the instance answers, and until the target does.
func (c *check) awaitReady(ctx context.Context, p *process.Process) error {
	if c.instance != c.target {
		if err := c.awaitAnswer(ctx, p, c.instance, c.instanceDialer); err != nil {
			return err
		}
	}
	return c.awaitAnswer(ctx, p, c.target, c.dialer)
}

// awaitAnswer waits until t answers, and settles on the address that did.
func (c *check) awaitAnswer(ctx context.Context, p *process.Process, t *target, d *dialer) error {
	// An attempt may not outlast the wait: a server that accepts and then says nothing is
	// one that never answers.
	waiting, cancel := context.WithTimeout(ctx, c.cfg.Ready)
	defer cancel()
	var exited <-chan struct{} // never, of a process that is not known
	if p != nil {
		exited = p.Exited()
	}
	var last error
	for {
		for _, addr := range t.addrs {
			// A copy, since clients of a rollout use the target meanwhile.
			try, with := *t, *d
			try.addr, with.target = addr, &try
			err := c.tryOnce(waiting, &try, &with)
			if err == nil {
				if t.addr != addr {
					t.addr = addr
				}
				return nil
			}
			var verify *tls.CertificateVerificationError
			if errors.As(err, &verify) {
				return fmt.Errorf("%w (name the authority to trust with -cacert FILE, or skip the check with -insecure)", err)
			}
			if telling(err) >= telling(last) {
				last = err
			}
		}
		poll := time.NewTimer(readyPoll)
		select {
		case <-poll.C:
			continue
		case <-exited:
			poll.Stop()
			return errExited
		case <-waiting.Done():
			poll.Stop()
			if err := ctx.Err(); err != nil {
				return err
			}
			return fmt.Errorf("%s did not answer on %s within %v (-ready): %w%s",
				c.subject(t), strings.Join(t.addrs, " or "), c.cfg.Ready, last, elsewhere(p, last))
		}
	}
}

// subject is what a message calls whoever serves t.
func (c *check) subject(t *target) string {
	switch {
	case t != c.instance:
		return "-target"
	case len(c.cfg.Command) > 0:
		return "the command is running, but"
	}
	return "the server"
}

// elsewhere says where a command listens that does not where it should.
func elsewhere(p *process.Process, err error) string {
	if p == nil || !isRefused(err) {
		return ""
	}
	var addrs []string
	for _, l := range p.Listeners() {
		addrs = append(addrs, l.Addr.String())
	}
	if len(addrs) == 0 {
		return "\nit listens on no TCP port: does it need a flag, an environment variable or more time?"
	}
	return fmt.Sprintf("\nit listens on %s: is that the port to name in -url?", strings.Join(addrs, ", "))
}

// telling ranks errors by how much they say about a server that does not become ready.
// The last attempt often says nothing but that time was up, and the next address of a
// host nothing but that nobody listens there.
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
func (c *check) tryOnce(ctx context.Context, t *target, d *dialer) error {
	if c.cfg.GRPC {
		c.onlyHTTP2 = true
		return c.tryHTTP2(ctx, t, d)
	}
	err := c.tryHTTP1(ctx, t, d)
	var dial *net.OpError
	if err == nil || isRefused(err) || errors.As(err, &dial) && dial.Op == "dial" || ctx.Err() != nil || errors.Is(err, errNotReady) {
		return err
	}
	// It may speak HTTP/2 only. One that was not ready for HTTP/1.1 just before is asked
	// again.
	if c.tryHTTP2(ctx, t, d) != nil {
		return err
	}
	if again := c.tryHTTP1(ctx, t, d); again == nil {
		return nil
	}
	c.onlyHTTP2 = true
	return nil
}

// errNotReady means that ReadyPath is answered, and that the answer is no.
var errNotReady = errors.New("want 2xx")

// ask is the request that asks whether the server is ready.
func (c *check) ask(t *target) (method, path, body string) {
	if c.cfg.ReadyPath != "" {
		return http.MethodGet, c.cfg.ReadyPath, ""
	}
	return c.cfg.Method, t.path, c.cfg.Body
}

// judgeReady says whether an answer with this status means that the server is ready.
func (c *check) judgeReady(method, path string, status int) error {
	if c.cfg.ReadyPath != "" && status/100 != 2 {
		return fmt.Errorf("%s %s: answered with status %d, %w", method, path, status, errNotReady)
	}
	return nil
}

func (c *check) tryHTTP1(ctx context.Context, t *target, d *dialer) error {
	method, path, body := c.ask(t)
	cn, err := d.dial(ctx, "http/1.1")
	if err != nil {
		return err
	}
	defer cn.Close()
	cn.SetDeadline(time.Now().Add(c.cfg.Timeout))
	stop := context.AfterFunc(ctx, func() { cn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := cn.Write(requestBytes(method, path, t.host, c.cfg.Header, body, "Connection: close")); err != nil {
		return fmt.Errorf("write request: %w", err)
	}
	a, err := cn.readAnswer(method)
	if err != nil {
		return err
	}
	return c.judgeReady(method, path, a.status)
}

func (c *check) tryHTTP2(ctx context.Context, t *target, d *dialer) error {
	method, path, body := c.ask(t)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	h, err := dialH2(ctx, d, c.cfg.Timeout)
	if err != nil {
		return err
	}
	defer h.close()
	st, err := h.open(h2Fields(&c.cfg, t, method, path, body), body, func() {}, func() {})
	if err != nil {
		return err
	}
	select {
	case <-st.done:
	case <-ctx.Done():
		h.cancel(st, ctx.Err())
		<-st.done
	}
	if st.end != endComplete {
		return st.err
	}
	return c.judgeReady(method, path, st.status)
}
