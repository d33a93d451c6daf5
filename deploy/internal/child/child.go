// Package child runs the programs of a recipe, and finds ports for them.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// poll is the time between two checks of something that starts.
const poll = 20 * time.Millisecond

// closeWithin is how long a program may take to end when it is not needed any more.
const closeWithin = 2 * time.Second

// A Process is a program that runs.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output tail
	ended  chan struct{} // closed when the process has ended

	// Of the end: to be read when ended is closed.
	at  time.Time
	err error
}

// Start starts cmd. Its output is kept for messages, which call it by name; what it writes
// to the standard error goes to cmd.Stderr as well, if that is set.
func Start(name string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout = &p.output
	if cmd.Stderr != nil {
		cmd.Stderr = io.MultiWriter(&p.output, cmd.Stderr)
	} else {
		cmd.Stderr = &p.output
	}
	cmd.WaitDelay = time.Second // its own children may hold its output open
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.ended)
		p.err = cmd.Wait()
		p.at = time.Now()
	}()
	return p, nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// PID is the id of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output is the end of what it printed.
func (p *Process) Output() string { return p.output.String() }

// Signal sends sig to the process.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// Stop sends SIGTERM and waits for the end. It returns how long that took, and whether
// the process has failed. It is an error if the process died of the signal, since it did
// not handle it: its losses would be blamed on the way it stops.
func (p *Process) Stop(ctx context.Context) (took time.Duration, failed bool, err error) {
	begin := time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return 0, false, err
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		return 0, false, fmt.Errorf("%s has not ended %v after SIGTERM: %w", p.name, time.Since(begin).Round(time.Millisecond), ctx.Err())
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) && exit.ExitCode() < 0 {
		return 0, false, fmt.Errorf("%s died: %w\n%s", p.name, p.err, p.Output())
	}
	return p.at.Sub(begin), p.err != nil, nil
}

// Close ends the process, by force if necessary, and waits for its end. The process may
// have ended already.
func (p *Process) Close() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(closeWithin):
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// AwaitReady waits until url is answered with 200.
func (p *Process) AwaitReady(ctx context.Context, url string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	return p.await(ctx, func() error {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		return nil
	})
}

// AwaitPort waits until a connection to addr is accepted.
func (p *Process) AwaitPort(ctx context.Context, addr string) error {
	return p.await(ctx, func() error {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// await waits until try succeeds.
func (p *Process) await(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended by itself: %v\n%s", p.name, p.err, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s did not become ready: %w\n%s", p.name, err, p.Output())
		case <-time.After(poll):
		}
	}
}
