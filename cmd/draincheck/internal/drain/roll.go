package drain

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// A roll is a rollout: one load over several rounds, in each of which the server is
// stopped and started again, or replaces itself.
type roll struct {
	*round
	ramp    *ramp
	p       *process.Process
	owned   []*process.Process // that draincheck has started, and ends
	started bool               // the server was started by draincheck, if only through its ancestor
}

// runRoll carries out a rollout. What a client of the target sees is all that counts, so
// a refused connection is a failure here.
func (c *check) runRoll(parent context.Context, res *Result) (err error) {
	cfg := &c.cfg
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	r := &roll{round: c.newRound(1)}
	r.gate = newGate(ctx)
	r.started = len(cfg.Command) > 0
	progress := r.progress()
	defer progress.stop()
	defer func() {
		for _, p := range r.owned {
			err = c.cleanUp(parent, p, err)
		}
	}()
	if err := r.begin(ctx, 1, false); err != nil {
		return err
	}
	if err := c.settleAuto(ctx); err != nil {
		return err
	}
	res.Address = c.target.addr
	// A rollout has no moment before which they could connect, and no port that they
	// could hold.
	cfg.Late, cfg.Silent, cfg.HalfHeader = 0, 0, 0

	var running sync.WaitGroup
	defer running.Wait()
	defer cancel() // before the wait above
	// The load outlives each of the processes.
	forever := &process.Process{}
	r.ramp = r.round.ramp(ctx, forever, &running)
	progress.phase("loading", r.recorders)
	if err := r.ramp.up(); err != nil {
		return err
	}
	for i := range cfg.Rounds {
		if err := r.ramp.load(cfg.Load); err != nil {
			return err
		}
		if i == 0 {
			if err := r.misdirected(false); err != nil {
				return err
			}
		}
		progress.phase("rolling", r.recorders)
		if err := r.step(ctx, i+1); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	if err := r.ramp.load(cfg.Load); err != nil {
		return err
	}
	r.finish(ctx, cancel, &running)
	r.endOwned()
	r.sum(*r.clock.signal.Load())
	r.judgeRoll(cfg)
	if r.Verdict != Pass && r.p != nil {
		r.Output = r.p.Output()
	}
	c.addTotals(r.recorders)
	res.Rounds = append(res.Rounds, r.Round)
	return nil
}

// begin starts the server, or finds it, and waits until it answers.
func (r *roll) begin(ctx context.Context, n int, again bool) error {
	c := r.check
	p, err := c.begin(ctx, n, again)
	if err != nil {
		return err
	}
	if p != nil {
		r.owned = append(r.owned, p)
	}
	if err := c.awaitReady(ctx, p); err != nil {
		return err
	}
	if p == nil && c.cfg.StopCommand == "" {
		if p, err = c.instance.find(nil); err != nil {
			return err
		}
		r.owned = append(r.owned, p)
	}
	r.p = p
	return nil
}

// step stops the server once and waits until it is there again.
func (r *roll) step(ctx context.Context, n int) error {
	cfg := &r.check.cfg
	at := time.Now()
	if n == 1 {
		for _, rec := range r.recorders {
			rec.markSignal()
		}
		r.clock.signal.Store(&at)
		close(r.gate.signalled)
	}
	r.chronicle.mark(at, fmt.Sprintf("stop %d", n))
	step := Step{Round: n, At: millis(at.Sub(r.chronicle.start))}
	since := func(t time.Time) *Millis { ms := millis(t.Sub(at)); return &ms }
	if r.p != nil {
		step.PID = r.p.Pid()
	}
	if cfg.StopCommand != "" {
		if err := r.check.runStop(ctx, n); err != nil {
			return err
		}
	} else if err := r.p.Signal(r.check.signal, cfg.Group); err != nil {
		return err
	}
	var err error
	if cfg.Handover {
		err = r.handedOver(ctx, &step, at)
	} else {
		err = r.restarted(ctx, &step, at, n)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	step.Ready = since(now)
	r.chronicle.mark(now, fmt.Sprintf("ready %d", n))
	r.Steps = append(r.Steps, step)
	return nil
}

// restarted waits for the end of the old process and starts a new one.
func (r *roll) restarted(ctx context.Context, step *Step, at time.Time, n int) error {
	cfg := &r.check.cfg
	if r.p != nil {
		if !await(ctx, r.p.Exited(), time.Until(at.Add(cfg.Within))) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if r.p.Attached() {
				return fmt.Errorf("process %d has not ended within %v (-within)", r.p.Pid(), cfg.Within)
			}
			step.Killed = true
			r.chronicle.mark(time.Now(), fmt.Sprintf("kill %d", n))
			r.p.Kill()
		}
		r.noteExit(step, at)
		if !r.p.Attached() {
			r.p.Kill() // what it has left behind
		}
	}
	if len(cfg.Command) == 0 && cfg.StartCommand == "" {
		return nil // somebody else does
	}
	return r.begin(ctx, n, true)
}

func (r *roll) noteExit(step *Step, at time.Time) {
	select {
	case <-r.p.Exited():
	default:
		return
	}
	exit := r.p.Exit()
	ms := millis(exit.At.Sub(at))
	step.Ended = &ms
	if !r.p.Attached() {
		step.ExitCode, step.ExitSignal = &exit.Code, exit.Signal
	}
	r.chronicle.mark(exit.At, fmt.Sprintf("exit %d", step.Round))
}

// handoverWait is how long a successor may take to show up, at least.
const handoverWait = 3 * time.Second

// handedOver waits for a successor. A process that stays and has none has reloaded.
func (r *roll) handedOver(ctx context.Context, step *Step, at time.Time) error {
	cfg := &r.check.cfg
	for end := at.Add(max(cfg.Load, min(handoverWait, cfg.Within))); ; {
		select {
		case <-r.p.Exited():
			r.noteExit(step, at)
			return r.succeed(ctx, step)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readyPoll):
		}
		if time.Now().Before(end) {
			continue
		}
		// Somebody else has the port as well: the old process has something left to do.
		if l, ok := r.check.instance.serving(); !ok || l.PID == r.p.Pid() || time.Since(at) > cfg.Within {
			return nil
		}
	}
}

// succeed finds the process that serves now.
func (r *roll) succeed(ctx context.Context, step *Step) error {
	if err := r.check.awaitReady(ctx, nil); err != nil {
		return fmt.Errorf("nobody took over: %w", err)
	}
	p, err := r.check.instance.find(nil)
	if err != nil {
		return err
	}
	step.Successor = p.Pid()
	r.p = p
	r.owned = append(r.owned, p)
	return nil
}

// endOwned ends what draincheck has started, politely first: the load is over, so nothing
// is lost by it.
func (r *roll) endOwned() {
	if !r.started || r.p == nil {
		return
	}
	if r.p.Attached() {
		endDaemon(r.p.Pid())
		return
	}
	_ = r.p.Signal(os.Interrupt, false)
	await(context.Background(), r.p.Exited(), time.Second)
}

// judgeRoll fills in the verdict over the whole rollout.
func (r *roll) judgeRoll(cfg *Config) {
	reason := func(format string, args ...any) { r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...)) }
	t := &r.Total
	if t.Lost > 0 {
		reason("%d of %s lost", t.Lost, requests(t.Sent))
	}
	if t.RefusedDials > 0 {
		reason("%d connections were refused: the target was not there for its clients", t.RefusedDials)
	}
	after, _ := parseStatuses(cfg.ExpectAfter)
	n, codes := 0, []int{}
	for _, k := range r.Kinds {
		if k.Ends != nil {
			continue
		}
		expect, _ := parseStatuses(cfg.Expect)
		for code, c := range k.Statuses {
			if !expect.has(code) && !after.has(code) {
				n += c.Before + c.During
				codes = append(codes, code)
			}
		}
	}
	if slices.Sort(codes); n > 0 {
		r.BadStatus = n
		reason("%s answered with %s", requests(n), list(slices.Compact(codes)))
	}
	if t.Slow > 0 {
		reason("%d answers took longer than %v", t.Slow, cfg.SlowLimit)
	}
	for _, s := range r.Steps {
		if s.Killed {
			reason("the process of round %d was still running %v after the signal, and was killed", s.Round, cfg.Within)
		}
	}
	r.Verdict = Pass
	if len(r.Reasons) > 0 {
		r.Verdict = Fail
	}
}

// rolls says whether cfg asks for a rollout.
func (c *Config) rolls() bool { return c.Target != "" || c.Handover }
