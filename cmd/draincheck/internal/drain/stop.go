package drain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// signal sends the stop signal and returns when it did.
func (r *round) signal(p *process.Process) (time.Time, error) {
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
	err := p.Signal(r.check.signal, r.check.cfg.Group)
	close(r.gate.signalled)
	if errors.Is(err, os.ErrProcessDone) {
		<-p.Exited()
		return now, errExited
	}
	return now, err
}

// probe finds out when the port is closed, if no other client makes new connections all the time.
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
	case <-left.C:
		r.Killed = true
	case <-ctx.Done():
		return ctx.Err()
	}
	if cfg.Group && !r.Killed {
		// The command is all of its processes here, and there is no event for the end of the last one.
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
	if !r.Killed {
		if c, err := r.check.dialer.dialRaw(ctx); err == nil {
			c.Close()
			r.StillOpen = true
		}
		r.LeftBehind = p.Descendants()
	}
	p.Kill()
	if r.Killed {
		select {
		case <-p.Exited():
			r.ended = time.Now()
		default:
			return fmt.Errorf("the command (process %d) is still there though it was killed", p.Pid())
		}
	}
	return nil
}
