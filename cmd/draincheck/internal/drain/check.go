package drain

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/fxshutdown/fxhttp/cmd/draincheck/internal/process"
)

// A check is a run over several rounds.
type check struct {
	cfg            Config
	target         *target // what is loaded
	instance       *target // what is started and stopped: the same, unless a proxy is loaded
	dialer         *dialer
	instanceDialer *dialer
	signal         os.Signal

	notes []string

	onlyHTTP2 bool // the server answers only HTTP/2

	totals []*recorder // of each kind over all rounds, in the order of their first appearance
}

// Run carries out the check that cfg describes. The result is never nil. The error, which
// result.Error repeats, says why the check could not be carried out; a server that loses
// requests is not an error but a verdict.
//
// Run leaves no process behind, whether it ends by itself or because ctx does.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	res := newResult(cfg)
	c := &check{cfg: cfg}
	err := c.run(ctx, res)
	for _, t := range c.totals {
		res.Kinds = append(res.Kinds, t.kind())
	}
	res.Causes = causesOf(c.totals)
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
	res.Notes = append(notes(res), c.notes...)
	return res, nil
}

func newResult(cfg Config) *Result {
	res := &Result{Schema: Schema, URL: cfg.URL, Target: cfg.Target, Command: cfg.Command, Kinds: []Kind{}, Rounds: []Round{}}
	if res.Command == nil {
		res.Command = []string{}
	}
	return res
}

// note keeps what a reader of the result should know, once.
func (c *check) note(text string) {
	if !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

// Failed is the result of a check that could not begin.
func Failed(cfg Config, err error) *Result {
	res := newResult(cfg)
	res.Verdict, res.Error = Error, err.Error()
	return res
}

func (c *check) run(ctx context.Context, res *Result) error {
	if err := c.cfg.Validate(); err != nil {
		return err
	}
	var err error
	if c.signal, err = process.ParseSignal(c.cfg.Signal); err != nil {
		return err
	}
	res.Signal = process.SignalName(c.signal)
	if c.cfg.StopCommand != "" {
		res.Signal, res.StopCommand = "", c.cfg.StopCommand
	}
	if c.target, err = resolve(ctx, c.cfg.URL, c.cfg.UnixSocket); err != nil {
		return err
	}
	if c.cfg.GRPC = c.cfg.GRPCMethod != ""; c.cfg.GRPC {
		c.target.path, c.cfg.Body = c.cfg.GRPCMethod, grpcMessage(c.cfg.Body)
	}
	c.instance = c.target
	if c.cfg.Target != "" {
		if c.target, err = resolve(ctx, c.cfg.Target, ""); err != nil {
			return err
		}
		if c.instanceDialer, err = newDialer(c.instance, &c.cfg); err != nil {
			return err
		}
	}
	if c.dialer, err = newDialer(c.target, &c.cfg); err != nil {
		return err
	}
	if c.cfg.rolls() {
		return c.runRoll(ctx, res)
	}
	for i := range c.cfg.Rounds {
		r := c.newRound(i + 1)
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
	if c.cfg.Diagnose && c.cfg.PID == "" && slices.ContainsFunc(res.Rounds, func(r Round) bool { return r.Killed }) {
		res.Holds = c.diagnose(ctx)
	}
	return nil
}
