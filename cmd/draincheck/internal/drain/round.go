package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// A round is one start and stop of the command under load.
type round struct {
	Round
	check     *check
	clock     *clock
	gate      *gate
	recorders []*recorder
	probed    time.Time // when the probe was refused, if it was
	ended     time.Time // when the command had ended
}

func (r *round) run(parent context.Context) (err error) {
	c, cfg := r.check, &r.check.cfg
	// The clients' context ends with the round, whatever happens in it.
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	r.gate = newGate(ctx)

	if err := c.target.ensureFree(ctx); err != nil {
		return err
	}
	progress := r.progress()
	defer progress.stop()
	p, err := process.Start(cfg.Command, cfg.Env, cfg.Passthrough)
	if err != nil {
		return err
	}
	defer p.Kill()
	defer func() {
		if errors.Is(err, errExited) {
			p.Settle()
			err = fmt.Errorf("%w before it was told to stop (%v)", err, p.Exit())
		}
		if err != nil && parent.Err() == nil {
			err = withOutput(err, p.Output())
		}
	}()

	if err := c.awaitReady(ctx, p); err != nil {
		return err
	}
	if err := c.settleAuto(ctx); err != nil {
		return err
	}

	var clients []func(context.Context)
	r.recorders, clients = c.plan(r.gate, r.clock)
	progress.phase("loading", r.recorders)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // before the wait above
	for _, client := range clients {
		running.Go(func() { client(ctx) })
	}

	if err := r.load(ctx, p); err != nil {
		return err
	}
	signalled, err := r.signal(p)
	if err != nil {
		return err
	}
	progress.phase("stopping", r.recorders)
	if cfg.NewConn == 0 {
		running.Go(func() { r.probe(ctx) })
	}
	if err := r.awaitExit(ctx, p, signalled); err != nil {
		return err
	}

	// All that was sent is answered or lost now, or will be within a timeout; nothing more is sent.
	r.gate.end()
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	if !await(ctx, done, cfg.Timeout+2*overdue) {
		cancel()
		<-done
	}
	r.sum(signalled, p)
	return nil
}

// await waits for done, for d at most.
func await(ctx context.Context, done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// load waits until all clients are at work, and then for as long as the load is to last.
func (r *round) load(ctx context.Context, p *process.Process) error {
	cfg := &r.check.cfg
	wait := func(what string, done <-chan struct{}, d time.Duration) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-done:
			return nil
		case <-timer.C:
			if what == "" {
				return nil
			}
			return fmt.Errorf("%s within %v", what, d)
		case <-p.Exited():
			return errExited
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	armed := func(wg *sync.WaitGroup) <-chan struct{} {
		ch := make(chan struct{})
		go func() {
			wg.Wait()
			close(ch)
		}()
		return ch
	}
	if err := wait("the load did not get under way", armed(&r.gate.armed), cfg.Timeout+cfg.Ready); err != nil {
		return err
	}
	if err := r.broken(); err != nil {
		return err
	}
	if err := wait("", nil, cfg.Load); err != nil {
		return err
	}
	close(r.gate.late)
	if err := wait("the late clients could not connect", armed(&r.gate.lateArmed), cfg.Timeout+cfg.Ready); err != nil {
		return err
	}
	if err := r.broken(); err != nil {
		return err
	}
	// A slow client may be between two requests right now. It is there for those that are under way.
	for deadline := time.Now().Add(slowWait); time.Now().Before(deadline); {
		if !slices.ContainsFunc(r.recorders, func(rec *recorder) bool { return !rec.underWay() }) {
			break
		}
		if err := wait("", nil, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// slowWait bounds the wait for slow requests to be under way. A slow path that is not slow never has them all so.
const slowWait = 500 * time.Millisecond

func (r *round) broken() error {
	for _, rec := range r.recorders {
		if err := rec.brokenBy(); err != nil {
			return err
		}
	}
	return nil
}

// sum fills in the round's result. All clients have returned.
func (r *round) sum(signalled time.Time, p *process.Process) {
	since := func(t time.Time) Millis { return millis(t.Sub(signalled)) }
	exit := p.Exit()
	r.Exited, r.ExitCode, r.ExitSignal = since(r.ended), exit.Code, exit.Signal
	closed := r.probed
	for _, rec := range r.recorders {
		k := rec.kind()
		if !k.balanced() || rec.open != 0 {
			panic(fmt.Sprintf("drain: the accounts of %s do not balance: %+v, %d open", rec.name, k.Counts, rec.open))
		}
		r.Kinds = append(r.Kinds, k)
		r.Total.add(k.Counts)
		for _, l := range rec.losses {
			if len(r.Losses) < maxLosses {
				r.Losses = append(r.Losses, Loss{Kind: rec.name, Round: r.Round.Round,
					Written: since(l.written), Failed: since(l.failed), Error: l.err.Error()})
			}
		}
		if !rec.refused.IsZero() && (closed.IsZero() || rec.refused.Before(closed)) {
			closed = rec.refused
		}
	}
	if !closed.IsZero() {
		ms := since(closed)
		r.PortClosed = &ms
	}
	r.judge(r.check.cfg.Within, r.check.cfg.FailOnCut)
	if r.Verdict != Pass {
		p.Settle()
		r.Output = p.Output()
	}
}

// withOutput adds the end of what the command printed to an error.
func withOutput(err error, output string) error {
	const lines = 20
	output = strings.TrimRight(output, "\n")
	if output == "" {
		return fmt.Errorf("%w\nthe command printed nothing", err)
	}
	all := strings.Split(output, "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return fmt.Errorf("%w\nthe command's last output:\n  %s", err, strings.Join(all, "\n  "))
}
