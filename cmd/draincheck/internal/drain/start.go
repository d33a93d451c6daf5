package drain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// errExited means that the command ended before it was told to.
var errExited = errors.New("the command exited by itself")

// environ is the environment of commands, before what the Config adds.
func (c *check) environ(round int) []string {
	return append([]string{"DRAINCHECK_ROUND=" + strconv.Itoa(round)}, c.cfg.Env...)
}

// begin starts the server of a round, by the command or by -start-command, unless the
// server is already running and is not to be started again. It returns nil if the process
// must be found by its port.
func (c *check) begin(ctx context.Context, round int, again bool) (*process.Process, error) {
	cfg := &c.cfg
	switch {
	case len(cfg.Command) > 0:
		if err := c.instance.ensureFree(ctx); err != nil {
			return nil, err
		}
		return process.Start(cfg.Command, c.environ(round), cfg.Passthrough)
	case cfg.StartCommand != "" && (again || c.instance.ensureFree(ctx) == nil):
		ctx, cancel := context.WithTimeout(ctx, cfg.Ready)
		defer cancel()
		if err := process.RunShell(ctx, cfg.StartCommand, c.environ(round), cfg.Passthrough); err != nil {
			return nil, fmt.Errorf("-start-command: %w", err)
		}
	}
	if cfg.PID == "" {
		return nil, nil
	}
	// The file of a server that is just starting may not be there yet.
	deadline := time.Now().Add(cfg.Ready)
	for {
		p, err := attach(cfg.PID)
		if err == nil || cfg.StartCommand == "" || time.Now().After(deadline) {
			return p, err
		}
		if !sleep(ctx, nil, readyPoll) {
			return nil, ctx.Err()
		}
	}
}

// attach finds the process of -pid, a number or a file that holds one.
func attach(pid string) (*process.Process, error) {
	n, err := strconv.Atoi(pid)
	if err != nil {
		b, err := os.ReadFile(pid)
		if err != nil {
			return nil, fmt.Errorf("-pid: %w", err)
		}
		if n, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
			return nil, fmt.Errorf("-pid %s: the file contains no process id", pid)
		}
	}
	if n <= 1 {
		return nil, fmt.Errorf("-pid %d: want the process id of a server", n)
	}
	p, err := process.Attach(n)
	if err != nil {
		return nil, fmt.Errorf("-pid: %w", err)
	}
	return p, nil
}

// serving is the process that holds the target's port, as far as that can be known.
func (t *target) serving() (process.Listener, bool) {
	for _, addr := range t.addrs {
		if l, ok := process.Owner(addr); ok {
			return l, true
		}
	}
	return process.Listener{}, false
}

// find attaches to whoever serves the target, if p is nil.
func (t *target) find(p *process.Process) (*process.Process, error) {
	if p != nil {
		return p, nil
	}
	l, ok := t.serving()
	if !ok {
		return nil, fmt.Errorf("draincheck cannot tell which process listens on %s: name it with -pid", strings.Join(t.addrs, " or "))
	}
	return process.Attach(l.PID)
}

// daemonWait is how long a daemon may take to listen once its parent has ended.
const daemonWait = 2 * time.Second

// explainExit says why a command ended too early, as far as this can be known. A daemon
// that it started is ended: its port was free before.
func (c *check) explainExit(p *process.Process) error {
	p.Settle()
	exit := p.Exit()
	if exit.Code == 0 && exit.Signal == "" && len(c.cfg.Command) > 0 {
		for deadline := time.Now().Add(daemonWait); time.Now().Before(deadline); time.Sleep(readyPoll) {
			if l, ok := c.instance.serving(); ok {
				endDaemon(l.PID)
				return fmt.Errorf("the command started %v, which serves now, and has ended: run it in the foreground, "+
					"so that draincheck can watch it (nginx -g 'daemon off;'; no -D, --daemon or '&'); the process that it started was ended", l)
			}
		}
	}
	return fmt.Errorf("%w before it was told to stop (%v)", errExited, exit)
}

// endDaemon ends a process politely, and by force if it does not end.
func endDaemon(pid int) {
	d, err := process.Attach(pid)
	if err != nil {
		return
	}
	defer d.Kill()
	_ = d.Signal(syscall.SIGTERM, false)
	if !await(context.Background(), d.Exited(), 2*time.Second) {
		_ = d.Signal(os.Kill, false)
	}
}
