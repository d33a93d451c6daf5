package drain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// errExited means that the command ended before it was told to.
var errExited = errors.New("the command exited by itself")

// A check is a run over several rounds.
type check struct {
	cfg    Config
	target *target
	dialer *dialer
	signal os.Signal

	totals []*recorder // of each kind over all rounds, in the order of their first appearance
}

// Run carries out the check that cfg describes. The result is never nil. The error, which result.Error repeats, says why
// the check could not be carried out; a server that loses requests is no error but a verdict.
//
// Run leaves no process behind, whether it ends by itself or because ctx does.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	res := &Result{Schema: Schema, URL: cfg.URL, Command: cfg.Command, Signal: "SIG" + sigName(cfg.Signal), Kinds: []Kind{}, Rounds: []Round{}}
	c := &check{cfg: cfg}
	err := c.run(ctx, res)
	for _, t := range c.totals {
		res.Kinds = append(res.Kinds, t.kind())
	}
	res.Verdict = Pass
	for _, r := range res.Rounds {
		res.Total.add(r.Total)
		if r.Verdict != Pass {
			res.Verdict = Fail
		}
	}
	if err != nil {
		res.Verdict = Error
		res.Error = err.Error()
		return res, err
	}
	res.Notes = notes(res)
	return res, nil
}

func sigName(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "SIG") }

func (c *check) run(ctx context.Context, res *Result) error {
	if err := c.cfg.Validate(); err != nil {
		return err
	}
	var err error
	if c.signal, err = process.ParseSignal(c.cfg.Signal); err != nil {
		return err
	}
	if c.target, err = resolve(ctx, c.cfg.URL); err != nil {
		return err
	}
	if c.dialer, err = newDialer(c.target, &c.cfg); err != nil {
		return err
	}
	for i := range c.cfg.Rounds {
		r := &round{check: c, clock: &clock{}, Round: Round{Round: i + 1}}
		err := r.run(ctx)
		res.Address = c.target.addr
		if err != nil {
			if c.cfg.Rounds > 1 && ctx.Err() == nil {
				err = fmt.Errorf("round %d: %w", i+1, err)
			}
			return err
		}
		c.addTotals(r.recorders)
		res.Rounds = append(res.Rounds, r.Round)
	}
	return nil
}

// addTotals merges a round's accounts into those of the check.
func (c *check) addTotals(recorders []*recorder) {
	for _, r := range recorders {
		var t *recorder
		for _, have := range c.totals {
			if have.name == r.name {
				t = have
			}
		}
		if t == nil {
			t = &recorder{name: r.name, clients: r.clients}
			c.totals = append(c.totals, t)
		}
		t.counts.add(r.counts)
		t.before = append(t.before, r.before...)
		t.during = append(t.during, r.during...)
		if r.ends != nil {
			if t.ends == nil {
				t.ends = &Ends{}
			}
			t.ends.add(r.ends)
		}
		if r.obstacle != nil {
			if t.obstacle == nil {
				t.obstacle = &Obstacles{}
			}
			t.obstacle.add(r.obstacle)
		}
	}
}

func (e *Ends) add(o *Ends) {
	e.Opened += o.Opened
	e.PoliteBefore += o.PoliteBefore
	e.CutBefore += o.CutBefore
	e.Polite += o.Polite
	e.EOF += o.EOF
	e.Reset += o.Reset
	e.Open += o.Open
	e.Unframed += o.Unframed
	e.LastEnd = max(e.LastEnd, o.LastEnd)
}

func (o *Obstacles) add(p *Obstacles) {
	o.Held += p.Held
	o.ClosedBefore += p.ClosedBefore
	o.ClosedAfter = append(o.ClosedAfter, p.ClosedAfter...)
	o.Open += p.Open
}

// notes are what a reader should not miss though it does not change the verdict.
func notes(res *Result) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	t := &res.Total
	if t.AnsweredBefore == 0 {
		note("no request was answered before the signal: the verdict rests on little")
	}
	if n := t.ErrorsBefore; n > 0 {
		note("%d requests were answered with a status of 500 or more before the signal", n)
	}
	if n := t.Errors - t.ErrorsBefore; n > 0 {
		note("%d requests were answered with a status of 500 or more after the signal: answered, but of no use to a client", n)
	}
	if n := t.RefusedBefore; n > 0 {
		note("%d connections were refused before the signal", n)
	}
	if n := t.DialErrors; n > 0 {
		note("%d connections failed in another way than by being refused, such as by a timeout: nothing was sent on them", n)
	}
	if n := t.Unframed; n > 0 {
		note("%d answers ended with the connection and without a length: that none of them is truncated cannot be told", n)
	}
	for _, k := range res.Kinds {
		if k.Ends != nil && k.Ends.Cut() > 0 {
			note("%d of %d %s connections were cut without a goodbye", k.Ends.Cut(), k.Ends.Opened, k.Name)
		}
	}
	left := 0
	for _, r := range res.Rounds {
		if r.LeftBehind {
			left++
		}
	}
	if left > 0 {
		note("in %d rounds, processes that the command had started were still running when it had ended; they were killed", left)
	}
	return notes
}

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
