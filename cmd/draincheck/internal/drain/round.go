package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// A round is one start and stop of the server under load.
type round struct {
	Round
	check     *check
	clock     *clock
	gate      *gate
	chronicle *chronicle
	recorders []*recorder
	stopping  chan error // the end of -stop-command
	probed    time.Time  // when the probe was refused, if it was
	ended     time.Time  // when the server had ended
}

func (c *check) newRound(n int) *round {
	return &round{check: c, clock: &clock{}, Round: Round{Round: n}}
}

func (r *round) run(parent context.Context) (err error) {
	c, cfg := r.check, &r.check.cfg
	// The clients' context ends with the round, whatever happens in it.
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	r.gate = newGate(ctx)

	progress := r.progress()
	defer progress.stop()
	p, err := c.begin(ctx, r.Round.Round, r.Round.Round > 1)
	if err != nil {
		return err
	}
	defer func() { err = c.cleanUp(parent, p, err) }()
	if err := c.awaitReady(ctx, p); err != nil {
		return err
	}
	if p, err = c.target.find(p); err != nil {
		return err
	}
	if err := c.settleAuto(ctx); err != nil {
		return err
	}

	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // before the wait above
	up := r.ramp(ctx, p, &running)
	progress.phase("loading", r.recorders)
	if err := up.up(); err != nil {
		return err
	}
	if err := up.load(cfg.Load); err != nil {
		return err
	}
	if err := up.late(); err != nil {
		return err
	}
	if err := r.misdirected(false); err != nil {
		return err
	}
	signalled, err := r.signal(ctx, p)
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
	r.finish(ctx, cancel, &running)
	if err := r.misdirected(true); err != nil {
		return err
	}
	exit := p.Exit()
	r.Exited, r.ExitCode, r.ExitSignal = millis(r.ended.Sub(signalled)), exit.Code, exit.Signal
	r.ExitUnknown = p.Attached()
	r.sum(signalled)
	r.judge(cfg)
	if r.Verdict != Pass {
		p.Settle()
		r.Output = p.Output()
	}
	return nil
}

// ramp plans the load of a round.
func (r *round) ramp(ctx context.Context, p *process.Process, running *sync.WaitGroup) *ramp {
	r.chronicle = newChronicle()
	plan := &planner{check: r.check, gate: r.gate, clock: r.clock, chronicle: r.chronicle}
	up := &ramp{round: r, ctx: ctx, p: p, running: running}
	r.recorders, up.members = plan.plan(ctx)
	return up
}

// finish waits for what was sent. It is answered or lost by now, or will be within a
// timeout; nothing more is sent.
func (r *round) finish(ctx context.Context, cancel context.CancelFunc, running *sync.WaitGroup) {
	r.gate.end()
	done := closedAfter(running)
	if !await(ctx, done, r.check.cfg.Timeout+2*overdue) {
		cancel()
		<-done
	}
}

// cleanUp leaves no process behind, and adds to an error what the command says about it.
func (c *check) cleanUp(ctx context.Context, p *process.Process, err error) error {
	if p == nil {
		return err
	}
	if errors.Is(err, errExited) && ctx.Err() == nil {
		err = c.explainExit(p)
	}
	p.Kill()
	if err != nil && ctx.Err() == nil && !p.Attached() {
		err = withOutput(err, p.Output())
	}
	return err
}

// misdirected is an error if most answers to a kind of load have a status that -expect
// does not name. At the end, it looks only at a round without any answer before the
// signal.
func (r *round) misdirected(atEnd bool) error {
	before := 0
	for _, rec := range r.recorders {
		before += rec.snapshot().AnsweredBefore
	}
	if atEnd && before > 0 {
		return nil
	}
	for _, rec := range r.recorders {
		if rec.expect == nil {
			continue
		}
		if err := misdirected(rec); err != nil {
			return err
		}
	}
	return nil
}

// await waits for done, at most for d.
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
