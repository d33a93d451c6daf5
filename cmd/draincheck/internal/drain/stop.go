package drain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// signal sends the stop signal, or starts the stop command, and returns when this was
// done.
func (r *round) signal(ctx context.Context, p *process.Process) (time.Time, error) {
	select {
	case <-p.Exited():
		return time.Time{}, errExited
	default:
	}
	for _, rec := range r.recorders {
		rec.markSignal()
	}
	now := time.Now()
	r.clock.signal.Store(&now)
	r.chronicle.mark(now, "signal")
	defer close(r.gate.signalled)
	if r.check.cfg.StopCommand != "" {
		r.stopping = make(chan error, 1)
		go func() { r.stopping <- r.check.runStop(ctx, r.Round.Round) }()
		return now, nil
	}
	err := p.Signal(r.check.signal, r.check.cfg.Group)
	if errors.Is(err, os.ErrProcessDone) {
		<-p.Exited()
		return now, errExited
	}
	return now, err
}

func (c *check) runStop(ctx context.Context, round int) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Within)
	defer cancel()
	if err := process.RunShell(ctx, c.cfg.StopCommand, c.environ(round), c.cfg.Passthrough); err != nil {
		return fmt.Errorf("-stop-command: %w", err)
	}
	return nil
}

// probe finds out when the port is closed, if no other client makes new connections all
// the time.
func (r *round) probe(ctx context.Context) {
	rec := &recorder{name: "probe", clock: r.clock}
	for sleep(ctx, r.gate.over, backoff) {
		c, err := r.check.dialer.dialRaw(r.gate.dialing)
		if err == nil {
			c.Close()
			continue
		}
		if isRefused(err) {
			rec.dialFailed(err)
			break
		}
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	r.probed = rec.refused
}

// awaitExit waits for the command's end, and brings it about if that takes too long.
func (r *round) awaitExit(ctx context.Context, p *process.Process, signalled time.Time) error {
	cfg := &r.check.cfg
	left := time.NewTimer(time.Until(signalled.Add(cfg.Within)))
	defer left.Stop()
	select {
	case <-p.Exited():
		r.ended = p.Exit().At
	case err := <-r.stopping:
		if err != nil {
			return err
		}
		// The command may return before the server has ended.
		r.stopping = nil
		return r.awaitExit(ctx, p, signalled)
	case <-left.C:
		r.Killed = true
	case <-ctx.Done():
		return ctx.Err()
	}
	if cfg.Group && !r.Killed {
		// The command is all of its processes here, and there is no event for the end of
		// the last one.
		for p.Descendants() {
			select {
			case <-left.C:
				r.Killed = true
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(2 * time.Millisecond):
				r.ended = time.Now()
				continue
			}
			break
		}
	}
	if !r.ended.IsZero() {
		r.chronicle.mark(r.ended, "exit")
	}
	if !r.Killed {
		if c, err := r.check.dialer.dialRaw(ctx); err == nil {
			c.Close()
			r.StillOpen = true
		}
		r.LeftBehind = p.Descendants()
	}
	if r.Killed || r.StillOpen || r.LeftBehind {
		r.quiesce(ctx)
		now := time.Now()
		r.clock.kill.Store(&now)
		r.chronicle.mark(now, "kill")
	}
	p.Kill()
	if r.StillOpen {
		// A process that left the command's group is still ours: the port was free
		// before.
		if l, ok := r.check.target.serving(); ok && !p.Attached() {
			endDaemon(l.PID)
		}
	}
	if r.Killed {
		select {
		case <-p.Exited():
			r.ended = time.Now()
		default:
			if p.Attached() {
				r.ended = time.Now()
				return nil
			}
			return fmt.Errorf("the command (process %d) is still there, although it was killed", p.Pid())
		}
	}
	return nil
}

// quiesceFor bounds how long running requests may take to end before a kill.
const quiesceFor = 5 * time.Second

// quiesce stops sending and lets running requests end, before draincheck kills what
// serves them: what it kills is not the server's loss.
func (r *round) quiesce(ctx context.Context) {
	// Late clients send once more; what they send is to be answered, too.
	if s := r.clock.signal.Load(); s != nil {
		sleep(ctx, nil, time.Until(s.Add(r.check.cfg.LateAfter+5*time.Millisecond)))
	}
	r.gate.end()
	busy := func(rec *recorder) bool {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		return rec.open > 0
	}
	deadline := time.Now().Add(min(r.check.cfg.Timeout/2, quiesceFor))
	for slices.ContainsFunc(r.recorders, busy) && time.Now().Before(deadline) {
		if !sleep(ctx, nil, 2*time.Millisecond) {
			return
		}
	}
}
